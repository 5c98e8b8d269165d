// Which page an address means, and where a chair's token in a link goes.

export type Route = { readonly page: 'landing' } | { readonly page: 'conference'; readonly number: string; readonly invite: string };

export interface Address {
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/** `/j/NUMBER`, with a token as `#TOKEN`, `#invite=TOKEN` or `?invite=TOKEN`. */
export function routeOf(address: Address): Route {
  const number = /^\/j\/(\d{9})\/?$/.exec(address.pathname)?.[1];
  if (number === undefined) return { page: 'landing' };
  const inQuery = new URLSearchParams(address.search).get('invite');
  const inHash = decodeURIComponent(address.hash.replace(/^#(?:invite=)?/, ''));
  return { page: 'conference', number, invite: inQuery ?? inHash };
}

export function pathOf(link: string): string {
  const url = new URL(link, 'https://box.invalid');
  return `${url.pathname}${url.search}${url.hash}`;
}
