import type { Bars } from '@huitang/model';
import { cx } from './cx';

/** Three bars; the words are the title and the name for screen readers. */
export function QualityBars({ bars, label }: { readonly bars: Bars; readonly label: string }) {
  return (
    <span className={cx('ht-bars', `ht-bars-${bars}`)} role="img" aria-label={label} title={label}>
      <i />
      <i />
      <i />
    </span>
  );
}
