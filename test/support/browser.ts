/** A page as a person has it before them. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  text: string;
}

/** What a browser does for a site without scripts: cookies, redirects, forms. */
export interface Browser {
  /** Everything it was shown, in order. */
  readonly pages: Page[];
  readonly cookies: Cookie[];
  /** Every address that it asked, those that led on too. */
  readonly visited: string[];
  open(url: string): Promise<Page>;
  /** Sends the page's form; `answers` are typed over what is in it. */
  submit(page: Page, answers?: Record<string, string>): Promise<Page>;
}

interface Cookie {
  host: string;
  path: string;
  name: string;
  value: string;
}

/** A browser with no cookies. As in real ones a cookie is for a host name, whatever the port. */
export function createBrowser(): Browser {
  const cookies: Cookie[] = [];
  const pages: Page[] = [];
  const visited: string[] = [];

  async function visit(url: URL, init: RequestInit = {}): Promise<Page> {
    visited.push(url.href);
    const own = cookies.filter(({ host, path }) => host === url.hostname && url.pathname.startsWith(path));
    const cookie = own.map(({ name, value }) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      ...init,
      redirect: "manual",
      headers: { accept: "text/html", ...(cookie && { cookie }), ...init.headers },
    });
    for (const text of response.headers.getSetCookie()) keep(parseCookie(text, url.hostname));
    const text = await response.text();
    const location = response.headers.get("location");
    if (location !== null) return await visit(new URL(location, url));
    const page = { url: url.href, status: response.status, headers: response.headers, text };
    pages.push(page);
    return page;
  }

  /** In place of one of the same name; one whose time is over goes. */
  function keep({ isOver, ...cookie }: Cookie & { isOver: boolean }): void {
    const { host, path, name } = cookie;
    const i = cookies.findIndex((own) => own.host === host && own.path === path && own.name === name);
    if (i >= 0) cookies.splice(i, 1);
    if (!isOver) cookies.push(cookie);
  }

  return {
    pages,
    cookies,
    visited,
    open: (url) => visit(new URL(url)),
    async submit(page, answers = {}) {
      const { action, fields } = formOf(page.text);
      const { origin } = new URL(page.url);
      const body = new URLSearchParams({ ...fields, ...answers });
      return await visit(new URL(action, page.url), { method: "POST", body, headers: { origin } });
    },
  };
}

function parseCookie(text: string, host: string): Cookie & { isOver: boolean } {
  const [pair = "", ...attributes] = text.split("; ");
  const [name = "", value = ""] = pair.split("=");
  const path = attributes.find((attribute) => attribute.startsWith("Path="))?.slice(5) ?? "/";
  return { host, path, name, value, isOver: attributes.includes("Max-Age=0") };
}

/** The page's one form: where it goes, and what is in it. */
export function formOf(html: string): { action: string; fields: Record<string, string> } {
  const action = /<form method="post" action="([^"]*)"/.exec(html)?.[1];
  if (action === undefined) throw new Error(`There is no form in:\n${html}`);
  const inputs = html.match(/<input[^>]*>/g) ?? [];
  const fields = inputs.map((input) => [attributeOf(input, "name"), attributeOf(input, "value")]);
  return { action: unescapeHtml(action), fields: Object.fromEntries(fields) };
}

function attributeOf(element: string, name: string): string {
  return unescapeHtml(new RegExp(`\\s${name}="([^"]*)"`).exec(element)?.[1] ?? "");
}

/** What hono/html escapes. */
function unescapeHtml(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
