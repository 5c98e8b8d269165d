import { useId, type ReactNode } from 'react';

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (value: string) => void;
  readonly icon?: ReactNode;
  readonly hideLabel?: boolean;
  readonly disabled?: boolean;
}

/** The browser's own choice box: the most accessible one there is, and it works on a phone. */
export function Select({ label, value, options, onChange, icon, hideLabel = false, disabled = false }: SelectProps) {
  const id = useId();
  return (
    <div className="ht-select">
      <label htmlFor={id} className={hideLabel ? 'ht-visually-hidden' : 'ht-select-label'}>
        {label}
      </label>
      <span className="ht-select-box">
        {icon}
        <select id={id} value={value} disabled={disabled} onChange={(event) => onChange(event.target.value)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      </span>
    </div>
  );
}
