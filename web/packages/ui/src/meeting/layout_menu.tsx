import * as Menu from '@radix-ui/react-dropdown-menu';
import { unreachable, type LayoutChoice, type MeetingModel } from '@huitang/model';
import { Check, Keyboard, LayoutGrid, Settings } from 'lucide-react';
import { useStore } from 'zustand';
import { useText } from '../i18n';

export interface LayoutMenuProps {
  readonly meeting: MeetingModel;
  readonly onSettings: () => void;
  readonly onShortcuts: () => void;
}

function choiceOf(value: string): LayoutChoice {
  return value === 'speaker' ? 'speaker' : 'gallery';
}

export function LayoutMenu({ meeting, onSettings, onShortcuts }: LayoutMenuProps) {
  const t = useText();
  const layout = useStore(meeting.store, (state) => state.layout);
  const { hideSelf, mirrorSelf } = useStore(meeting.devices.store, (state) => state.preferences);
  const name = (choice: LayoutChoice): string => {
    switch (choice) {
      case 'gallery':
        return t('layout.gallery');
      case 'speaker':
        return t('layout.speaker');
      default:
        return unreachable(choice);
    }
  };
  return (
    // Not modal: a modal menu would write a style element, which the page's own rules forbid.
    <Menu.Root modal={false}>
      <Menu.Trigger className="ht-bar-button ht-bar-plain" title={t('bar.layout')}>
        <span className="ht-bar-icon">
          <LayoutGrid size={22} aria-hidden />
        </span>
        <span className="ht-bar-label">{t('bar.layout')}</span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="ht-menu" side="top" align="center" sideOffset={8} collisionPadding={8}>
          <Menu.RadioGroup value={layout} onValueChange={(value) => meeting.setLayout(choiceOf(value))}>
            {(['gallery', 'speaker'] as const).map((choice) => (
              <Menu.RadioItem key={choice} className="ht-menu-item" value={choice}>
                <MenuMark />
                {name(choice)}
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
          <Menu.Separator className="ht-menu-line" />
          <Menu.CheckboxItem className="ht-menu-item" checked={hideSelf} onCheckedChange={(checked) => meeting.setHideSelf(checked)}>
            <MenuMark />
            {t('layout.hideSelf')}
          </Menu.CheckboxItem>
          <Menu.CheckboxItem className="ht-menu-item" checked={mirrorSelf} onCheckedChange={(checked) => meeting.devices.prefer({ mirrorSelf: checked })}>
            <MenuMark />
            {t('layout.mirrorSelf')}
          </Menu.CheckboxItem>
          <Menu.Separator className="ht-menu-line" />
          <Menu.Item className="ht-menu-item" onSelect={onSettings}>
            <Settings size={18} aria-hidden />
            {t('layout.settings')}
          </Menu.Item>
          <Menu.Item className="ht-menu-item" onSelect={onShortcuts}>
            <Keyboard size={18} aria-hidden />
            {t('layout.shortcuts')}
          </Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

function MenuMark() {
  return (
    <span className="ht-menu-mark">
      <Menu.ItemIndicator>
        <Check size={18} aria-hidden />
      </Menu.ItemIndicator>
    </span>
  );
}
