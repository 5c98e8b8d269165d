// R18, the part that exists: what every page carries against foreign scripts and frames, and that pages elsewhere get
// nowhere with a visitor's browser. Operations by role come with the administration.
import { check, test } from '../../e2e/lib/runner.mjs';
import { HUITANG_SANITIZED, startServer } from '../../e2e/lib/server.mjs';
import { RawSocket, ask, callApi, exchange } from '../lib/raw.mjs';
import { checkHealthy } from '../lib/witness.mjs';

/** What is wrong with the headers of a page; nothing when all is well. */
function wrongHeaders(headers) {
  const wrong = [];
  const csp = headers['content-security-policy'] ?? '';
  const directive = (name) => csp.split(';').map((d) => d.trim()).find((d) => d.startsWith(`${name} `)) ?? '';
  if (!csp.startsWith("default-src 'none'")) wrong.push('no default-src none');
  if (/unsafe-|\*|http:/.test(csp)) wrong.push(`lax: ${csp}`);
  for (const [name, value] of [['script-src', "'self'"], ['frame-ancestors', "'none'"], ['base-uri', "'none'"]])
    if (directive(name) !== `${name} ${value}`) wrong.push(`${name} is "${directive(name)}"`);
  if (headers['x-content-type-options'] !== 'nosniff') wrong.push('no nosniff');
  if (headers['referrer-policy'] !== 'no-referrer') wrong.push('a referrer');
  if (headers.server || headers['x-powered-by']) wrong.push('tells its make');
  if (headers['access-control-allow-origin']) wrong.push('lets other origins read');
  return wrong;
}

test('R18: every answer carries the strict headers, no page has inline script, and other origins get nowhere', async (t) => {
  const server = await startServer(t, { binary: HUITANG_SANITIZED });
  const pages = ['/', `/j/${server.number}`, '/j/1', '/trust', '/admin-link', '/nothing', '/api/boot.json', '/healthz', '/metrics', '/ca.crt'];
  for (const page of pages) {
    const { headers, body } = await ask(server, 'GET', page);
    const wrong = wrongHeaders(headers);
    check(wrong.length === 0, `${page}: ${wrong.join('; ')}`);
    if (!(headers['content-type'] ?? '').startsWith('text/html')) continue;
    check(!/<script(?![^>]*\bsrc=)[^>]*>/i.test(body), `${page} has inline script`);
    check(!/\son\w+\s*=|javascript:|<style/i.test(body.replace(/<code>[\s\S]*?<\/code>/g, '')), `${page} has inline handlers or styles`);
  }
  const host = `127.0.0.1:${server.httpsPort}`;
  for (const origin of ['https://evil.example', 'null', `http://${host}`, `https://${host}.evil.example`, `https://evil.example/${host}`, 'https://127.0.0.1']) {
    const refused = await RawSocket.open(server, { origin }).then((s) => (s.cut(), 101), (error) => error.status);
    check(refused === 403, `a socket for ${origin}: ${refused}`);
    const made = await callApi(server, 'CreateConference', {}, { headers: { origin } });
    check(made.status === 401, `a conference for ${origin}: ${made.status}`);
  }
  for (const path of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc%2fpasswd', '/assets/../../../etc/passwd', '//etc/passwd', '/j/../../huitang.db', '/\\..\\..\\etc\\passwd', 'http://evil.example/', '*']) {
    const { status, text } = await exchange(server, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    check([400, 404].includes(status) && !/root:|SQLite/.test(text), `${path}: ${status}`);
  }
  const preflight = await ask(server, 'OPTIONS', '/huitang.v1.ConferenceService/CreateConference', { headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } });
  check(!preflight.headers['access-control-allow-origin'] && preflight.status >= 400, `a preflight is answered ${preflight.status}`);
  checkHealthy(server);
  t.row('R18', `headers of ${pages.length} answers strict, six foreign origins and nine paths upwards refused (pages and signaling only)`);
});

test('R18, planted fault: a lax policy is noticed', () => {
  const good = {
    'content-security-policy': "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  };
  check(wrongHeaders(good).length === 0, wrongHeaders(good).join());
  check(wrongHeaders({ ...good, 'content-security-policy': good['content-security-policy'].replace("script-src 'self'", "script-src 'self' 'unsafe-inline'") }).length > 0, 'inline script goes unnoticed');
  check(wrongHeaders({ ...good, 'access-control-allow-origin': '*' }).length > 0, 'open doors go unnoticed');
  check(wrongHeaders({}).length > 0, 'no headers at all go unnoticed');
});
