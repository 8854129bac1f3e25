// Keeps a page current while it is looked at. Without this script the page says the same, and a reload renews it.

/** After a change the page is asked for again at most so often, and the less often the longer it takes. */
const LEAST_MS = 500;
const TIMES_THE_ANSWER = 4;
/** A connection that is lost for so long is told of. */
const LOST_MS = 4_000;
const EVENTS = ["snapshot", "run.queued", "run.started", "run.progress", "run.completed"];
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000, 5_184_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const language = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(language);
const now = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(0, "second");

/** The marked parts as the server wrote them: what the page has made of them since does not count as a change. */
const written = new Map(
  [...document.querySelectorAll("[data-live]")].map((part) => [part.id, part.outerHTML]),
);

/** A moment's distance from now, or with `elapsed` how long ago it was as a clock shows it, kept current. */
class RelativeTime extends HTMLElement {
  static all = new Set();

  connectedCallback() {
    RelativeTime.all.add(this);
    this.tell();
  }

  disconnectedCallback() {
    RelativeTime.all.delete(this);
  }

  tell() {
    const time = this.querySelector("time");
    if (!time) return;
    const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
    const text = this.hasAttribute("elapsed") ? clock(-seconds) : distance(seconds);
    if (time.textContent !== text) time.textContent = text;
  }
}

function distance(seconds) {
  const [unit, size] = UNITS.find(([, least, from = least]) => Math.abs(seconds) >= from) ?? [];
  if (unit) return relative.format(Math.trunc(seconds / size), unit);
  return seconds > 0 ? relative.format(seconds, "second") : now;
}

function clock(seconds) {
  const whole = Math.max(0, seconds);
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Listens to a stream of changes and renews the page's marked parts. */
class LiveRegion extends HTMLElement {
  #source = null;
  #timer = null;
  #lost = null;
  #isAsking = false;
  #isStale = false;

  connectedCallback() {
    document.addEventListener("visibilitychange", this);
    this.#listen();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this);
    this.#hush();
  }

  /** Browsers allow six connections to a server: a page that nobody sees leaves its own to others. */
  handleEvent() {
    if (document.hidden) return this.#hush();
    this.#listen();
    this.#renewSoon();
  }

  #listen() {
    if (this.#source || document.hidden) return;
    const source = new EventSource(this.getAttribute("src"));
    this.#source = source;
    source.onopen = () => this.#setLost(false);
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#comeBack();
      this.#setLost(true);
    };
    for (const name of EVENTS) source.addEventListener(name, () => this.#renewSoon());
  }

  #hush() {
    this.#source?.close();
    this.#source = null;
    this.#setLost(false);
  }

  /** The stream has ended: all has been told, or the server is away and the browser has given up. */
  #comeBack() {
    this.#hush();
    this.#renewSoon();
    setTimeout(() => this.isConnected && this.#listen(), LOST_MS * (1 + Math.random()));
  }

  #setLost(isLost) {
    if (!isLost) {
      clearTimeout(this.#lost);
      this.#lost = null;
      this.#say(false);
    } else {
      this.#lost ??= setTimeout(() => this.#say(true), LOST_MS);
    }
  }

  #say(isLost) {
    const sentence = this.querySelector("p");
    if (sentence) sentence.hidden = !isLost;
  }

  #renewSoon(ms = LEAST_MS) {
    this.#isStale = true;
    if (this.#isAsking) return;
    this.#timer ??= setTimeout(() => this.#renew(), ms);
  }

  async #renew() {
    this.#timer = null;
    this.#isStale = false;
    this.#isAsking = true;
    const startedAt = performance.now();
    let later = LEAST_MS;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"), this);
      else if (answer.status === 401 || answer.status === 404) location.reload();
      else {
        this.#isStale = true;
        later = 1000 * (Number(answer.headers.get("retry-after")) || 1);
      }
      this.#setLost(answer.status >= 500);
    } catch {
      this.#setLost(true);
      this.#isStale = true;
    }
    this.#isAsking = false;
    const wait = Math.max(later, TIMES_THE_ANSWER * (performance.now() - startedAt));
    if (this.#isStale && this.isConnected && !document.hidden) this.#renewSoon(wait);
  }
}

/** Takes over what is different in a newer version of the page. */
function show(page, region) {
  if (document.title !== page.title) document.title = page.title;
  const parts = [...page.querySelectorAll("[data-live]")];
  const own = document.querySelectorAll("[data-live]");
  // Another page than before, such as the first list after none: there is nothing to keep of the old one.
  if (parts.length !== own.length || parts.some(({ id }) => !document.getElementById(id)))
    return location.reload();
  const focused = document.activeElement;
  for (const part of parts) {
    const html = part.outerHTML;
    if (written.get(part.id) === html) continue;
    written.set(part.id, html);
    adopt(document.getElementById(part.id), part);
  }
  if (document.activeElement !== focused) successorOf(focused)?.focus({ preventScroll: true });
  if (!page.querySelector("live-region")) region.remove();
}

/** What stands for an element that was moved or taken out: the same link or control of what has its id, or its row's. */
function successorOf(element) {
  if (element.isConnected) return element;
  const { id } = element.closest("[id]") ?? {};
  const place = id ? document.getElementById(id) : null;
  if (!place || element.id === id) return place;
  const address = element.getAttribute("href");
  return [...place.querySelectorAll(element.localName)].find(
    (other) => other.getAttribute("href") === address,
  );
}

/** Makes an element like a newer one, and keeps all of it that is the same: the focus, what is open, what is typed. */
function adopt(element, newer) {
  for (const { name } of [...element.attributes]) {
    if (!newer.hasAttribute(name) && !isReaders(element, name)) element.removeAttribute(name);
  }
  for (const { name, value } of newer.attributes) {
    if (element.getAttribute(name) !== value && !isReaders(element, name)) element.setAttribute(name, value);
  }
  let at = element.firstChild;
  for (const wanted of [...newer.childNodes]) {
    const kept = findLike(at, wanted);
    if (!kept) {
      element.insertBefore(document.importNode(wanted, true), at);
      continue;
    }
    if (kept !== at) element.insertBefore(kept, at);
    at = kept.nextSibling;
    if (kept.nodeType !== Node.ELEMENT_NODE) {
      if (kept.data !== wanted.data) kept.data = wanted.data;
    } else if (!kept.isEqualNode(wanted)) adopt(kept, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
  if (element.localName === "relative-time") element.tell();
}

/** The node from `at` on that a newer one stands for: by its id, or else the next of its kind that has none. */
function findLike(at, wanted) {
  const isLike = (node) => node.nodeName === wanted.nodeName && (node.id ?? "") === (wanted.id ?? "");
  if (!wanted.id) return at && isLike(at) ? at : null;
  for (let node = at; node; node = node.nextSibling) if (isLike(node)) return node;
  return null;
}

/** What the reader does to a page is the reader's. */
function isReaders({ localName }, name) {
  return (localName === "details" && name === "open") || (localName === "input" && name === "value");
}

customElements.define("relative-time", RelativeTime);
customElements.define("live-region", LiveRegion);
setInterval(() => {
  if (!document.hidden) for (const element of RelativeTime.all) element.tell();
}, 1_000);

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  const box = document.querySelector("main .search input") ?? document.querySelector(".search input");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// A notice tells of what was done just now: a reload need not tell it again.
const here = new URL(location.href);
if (here.searchParams.has("notice")) {
  here.searchParams.delete("notice");
  history.replaceState(null, "", here);
}
