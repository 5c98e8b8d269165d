/** A hall: roof, pillars, floor. */
export function Logo() {
  return (
    <svg className="ht-logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M6.5 13 16 7l9.5 6M9.5 14v9M16 14v9M22.5 14v9M7 25h18" />
    </svg>
  );
}
