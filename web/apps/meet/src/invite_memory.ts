// A chair's token leaves the address bar at once, so that a copied address gives nobody chair rights, and stays with
// this tab for a reload.

const keyOf = (number: string): string => `huitang.invite.${number}`;

export function keepInvite(storage: Storage, number: string, invite: string): string {
  try {
    if (invite !== '') storage.setItem(keyOf(number), invite);
    return invite !== '' ? invite : (storage.getItem(keyOf(number)) ?? '');
  } catch {
    return invite; // storage is switched off
  }
}
