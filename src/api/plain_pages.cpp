#include "api/plain_pages.h"

namespace huitang::api {
namespace {

std::string page(std::string_view title, std::string_view body, std::string_view head = "") {
  return std::string(
             "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
             "<link rel=\"stylesheet\" href=\"/plain.css\">")
      .append(head)
      .append("<title>")
      .append(title)
      .append("</title></head>\n<body><main>\n")
      .append(body)
      .append("\n</main></body></html>\n");
}

}  // namespace

const std::string_view kPlainStyle = R"(:root { color-scheme: light dark; --bg: #f3f5f8;
  --surface: #fff; --line: #d5dbe3; --text: #18222e; --text-2: #4d5a69; --link: #1a5fb4; --button: #1a5fb4; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #11161c; --surface: #1a2129; --line: #303b47; --text: #e9eef4; --text-2: #a9b6c4; --link: #7fb2ff;
    --button: #2c6fce; }
}
body { margin: 0; padding: 1.5rem 1rem 3rem; background: var(--bg); color: var(--text);
  font: 17px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { box-sizing: border-box; max-width: 48rem; margin: 0 auto; padding: 1.5rem clamp(1.1rem, 4vw, 2.5rem) 2rem;
  border: 1px solid var(--line); border-radius: 14px; background: var(--surface); }
h1 { margin: .3rem 0 1rem; font-size: 1.6rem; line-height: 1.3; } h2 { margin: 1.8rem 0 .4rem; font-size: 1.15rem; }
p { margin: .6rem 0; } ol, ul { margin: .4rem 0; padding-left: 1.5rem; } li { margin: .25rem 0; }
code { font: 0.95em ui-monospace, monospace; overflow-wrap: anywhere; }
.print code { display: block; max-width: calc(48ch + 1px); line-height: 1.5; } /* sixteen bytes a line, or eight */
@media (max-width: 34rem) { .print code { max-width: calc(24ch + 1px); } }
a { color: var(--link); }
a.button { display: inline-block; margin: .4rem 0; padding: .6rem 1.4rem; border-radius: 8px; background: var(--button);
  color: #fff; text-decoration: none; font-weight: 600; }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
p[lang=en] { color: var(--text-2); }
section[lang=en] { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
)";

const std::string_view kAdminLinkScript = R"("use strict";
const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const show = (id) => { for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.id !== id; };
if (secret === "") show("missing");
else fetch("/api/admin-session", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token: secret }),
}).then((answer) => answer.ok ? location.replace("/") : show("wrong"), () => show("away"));
)";

std::string trust_page(std::string_view fingerprint) {
  const std::string print = "<p class=\"print\"><code>" + std::string(fingerprint) + "</code></p>\n";
  return page(
      "信任本机证书 · Trust this box",
      R"(<h1>让浏览器信任这台会议服务器</h1>
<p>这台服务器用自己的证书机构签发证书。每台电脑只需信任一次，以后就不再有警告，摄像头和麦克风也能正常使用。</p>
<p><a class="button" href="/ca.crt" download="huitang-ca.crt">下载证书 ca.crt</a></p>
<p>安装前，请向管理员核对指纹（SHA-256）：</p>
)" + print +
          R"(<h2>Windows（Chrome、Edge、国产浏览器）</h2>
<ol><li>双击下载的文件，点“安装证书”。</li><li>选“本地计算机”或“当前用户”，再选“将所有的证书放入下列存储”，浏览到“受信任的根证书颁发机构”。</li><li>完成后重新打开浏览器。</li></ol>
<h2>统信 UOS、麒麟等 Linux</h2>
<ol><li>浏览器：设置 → 隐私和安全 → 管理证书 → 授权机构 → 导入，勾选“信任该证书以标识网站”。</li><li>整机：复制到 <code>/usr/local/share/ca-certificates/huitang-ca.crt</code>，再执行 <code>sudo update-ca-certificates</code>。</li></ol>
<h2>Firefox</h2>
<ol><li>设置 → 隐私与安全 → 证书 → 查看证书 → 证书颁发机构 → 导入。</li><li>勾选“信任由此证书颁发机构来标识网站”。</li></ol>
<h2>Android、iPhone、macOS</h2>
<ol><li>Android：设置 → 安全 → 加密与凭据 → 安装证书 → CA 证书。</li><li>iPhone：打开下载的描述文件，在“设置 → 通用 → VPN与设备管理”安装，再到“关于本机 → 证书信任设置”打开信任。</li><li>macOS：双击文件放入“钥匙串访问”，在“信任”里选“始终信任”。</li></ol>
<p><a href="/">返回首页</a></p>
<section lang="en"><h1>Make your browser trust this conference server</h1>
<p>This box signs its certificate with an authority of its own. Trust it once on each computer: the warnings go, and camera and microphone work.</p>
<p><a class="button" href="/ca.crt" download="huitang-ca.crt">Download ca.crt</a></p>
<p>Before installing it, compare the SHA-256 fingerprint with your administrator:</p>
)" + print +
          R"(<ul><li>Windows: open the file, “Install Certificate”, place it in “Trusted Root Certification Authorities”, restart the browser.</li>
<li>Linux, Chromium: Settings → Privacy and security → Manage certificates → Authorities → Import, tick “identify websites”. For the whole machine: copy to <code>/usr/local/share/ca-certificates/</code> and run <code>sudo update-ca-certificates</code>.</li>
<li>Firefox: Settings → Privacy &amp; Security → View Certificates → Authorities → Import, tick “identify websites”.</li>
<li>Android: Settings → Security → Encryption &amp; credentials → Install a certificate → CA certificate.</li>
<li>iPhone: install the profile under Settings → General → VPN &amp; Device Management, then enable it under About → Certificate Trust Settings.</li>
<li>macOS: open in Keychain Access, set “Always Trust”.</li></ul></section>)");
}

std::string trust_page_of_own_certificate() {
  return page("证书 · Certificate", R"(<h1>本单位的证书</h1>
<p>这台服务器使用本单位自己的证书，不需要另外安装。若浏览器仍有警告，请联系管理员。<a href="/">返回首页</a></p>
<section lang="en"><h1>The office's own certificate</h1>
<p>This server uses the certificate of your office; there is nothing to install. If the browser still warns, ask your administrator.</p></section>)");
}

std::string admin_link_page() {
  return page("管理链接 · Admin link",
              R"(<div data-part id="working"><h1>正在登录…</h1><p lang="en">Signing in…</p></div>
<div data-part id="wrong" hidden><h1>这个链接不对</h1><p>请使用首次启动时显示的完整链接；试得太多时请稍等一分钟。</p>
<p lang="en">This link is not right. Use the whole link that was printed at first start; after many tries wait a minute.</p></div>
<div data-part id="missing" hidden><h1>链接不完整</h1><p>管理链接在 # 号后还有一段密文。</p><p lang="en">The link is not whole: a secret follows the # sign.</p></div>
<div data-part id="away" hidden><h1>服务器没有回答</h1><p>请稍后再打开这个链接。</p><p lang="en">The server did not answer. Open the link again later.</p></div>)",
              R"(<script src="/admin-link.js" defer></script>)");
}

std::string not_built_page() {
  return page("Huitang 会堂", R"(<h1>会堂正在运行，但没有网页</h1>
<p>这个程序构建时没有包含网页。请先在 <code>web/</code> 里构建（<code>scripts/build</code> 会做），再重新构建程序。</p>
<section lang="en"><h1>Huitang is running, but its pages were not built</h1>
<p>The web pages were absent when this executable was made. Build <code>web/</code> first (<code>scripts/build</code> does), then build again.</p></section>)");
}

std::string not_found_page() {
  return page("没有这个页面 · Not found", R"(<h1>没有这个页面</h1><p><a href="/">返回首页</a></p>
<section lang="en"><h1>There is no such page</h1><p><a href="/">Back to the start</a></p></section>)");
}

}  // namespace huitang::api
