// Keeps a page of the server live. Without this file every page works, only not by itself:
// it is fetched again, whole, when there is news, and what differs is changed in place.
"use strict";

const REFRESH_MS = 10_000; // figures that make no news: CPU, memory, uptime
const SETTLE_MS = 150; // news comes in swarms
const LONGEST_BACKOFF_MS = 30_000;
const MOST_LINES = 5_000;

// Change `old` into `fresh` and keep every node that stays: focus, scroll and selection stay with them.
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (!old.hasAttribute("data-keep")) {
    morphAttributes(old, fresh);
    morphChildren(old, fresh);
  }
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function morphChildren(old, fresh) {
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const twin = child.id ? named.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
    if (!twin) {
      old.insertBefore(child, at);
      continue;
    }
    if (twin === at) at = at.nextSibling;
    else old.insertBefore(twin, at);
    morph(twin, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

const page = {
  main: document.querySelector("main"),
  timer: 0,
  busy: false,
  again: false,
  left: false,
  streams: [],

  // A form leads elsewhere: who logs out must not ask once more on the way, and be refused.
  leave() {
    this.left = true;
    clearTimeout(this.timer);
    for (const stream of this.streams) stream.close();
  },

  soon() {
    if (!this.timer) this.timer = setTimeout(() => this.refresh(), SETTLE_MS);
  },

  async refresh() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.left) return;
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10_000) });
      if (answer.status !== 401) this.show(new DOMParser().parseFromString(await answer.text(), "text/html"));
      else if (!this.left) location.reload();
    } catch {
      // The events say that the connection is lost, and ask for this again once it is back.
    }
    this.busy = false;
    if (this.again) {
      this.again = false;
      this.soon();
    }
  },

  show(fresh) {
    const main = fresh.querySelector("main");
    if (!main) return;
    document.title = fresh.title;
    morph(this.main, main);
  },
};

function codeOf(text) {
  const code = document.createElement("code");
  code.textContent = text;
  return code;
}

function say(text) {
  const said = document.getElementById("said");
  said.replaceChildren(...text.split(/`([^`]+)`/).map((piece, place) => (place % 2 ? codeOf(piece) : piece)));
  said.hidden = !text;
}

function lost(is) {
  document.getElementById("lost").hidden = !is;
}

// An EventSource that comes back by itself, also where the browser's gives up, and rests while nobody looks:
// a browser opens few connections to one host, and a hidden tab must not hold any.
class Stream {
  constructor(url, handlers, opened) {
    Object.assign(this, { url, handlers, opened, source: null, timer: 0, wait: 1_000 });
    page.streams.push(this);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    if (!document.hidden) this.open();
  }

  open() {
    this.close();
    this.source = new EventSource(this.url());
    this.source.onopen = () => {
      this.wait = 1_000;
      lost(false);
      this.opened();
    };
    this.source.onerror = () => {
      lost(true);
      if (this.source && this.source.readyState === EventSource.CLOSED) this.retry();
    };
    for (const [name, handle] of Object.entries(this.handlers)) this.source.addEventListener(name, handle);
  }

  retry() {
    this.close();
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_BACKOFF_MS);
    page.soon(); // where the session is over, this leads to the login
  }

  close() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  }
}

function followPage() {
  const news = () => page.soon();
  new Stream(() => document.body.dataset.events, { state: news, reload: news, problem: news }, news);
  setInterval(() => document.hidden || page.refresh(), REFRESH_MS);
}

function followLog(view) {
  const text = view.querySelector("pre");
  const toEnd = view.querySelector(".to-end");
  let url = view.dataset.follow;
  let sticks = true;

  const atEnd = () => text.scrollHeight - text.scrollTop - text.clientHeight < 30;
  const goToEnd = () => (text.scrollTop = text.scrollHeight);
  text.addEventListener("scroll", () => {
    sticks = atEnd();
    toEnd.hidden = sticks;
  });
  toEnd.addEventListener("click", goToEnd);
  goToEnd();

  const add = (event) => {
    const from = new URL(url, location.href);
    from.searchParams.delete("tail");
    if (event.lastEventId) from.searchParams.set("from", event.lastEventId);
    url = from.href;
    const more = document.createDocumentFragment();
    for (const line of JSON.parse(event.data).lines) {
      const span = document.createElement("span");
      span.textContent = line + "\n";
      more.append(span);
    }
    text.append(more);
    for (let extra = text.childElementCount - MOST_LINES; extra > 0; extra--) text.firstElementChild.remove();
    document.getElementById("no-log")?.remove();
    if (sticks) goToEnd();
  };
  const stream = new Stream(() => url, { lines: add, end: () => stream.stop() }, () => {});
  stream.stop = () => {
    stream.close();
    stream.open = () => {};
  };
}

// A button's order is sent without leaving the page; a refusal is said at its top.
async function order(form) {
  const button = form.querySelector("button");
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  say("");
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.status === 401) location.reload();
    if (!answer.ok) say((await answer.json()).detail);
  } catch {
    say("The order did not get through: no connection.");
  }
  button.ariaBusy = null;
  page.soon();
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-order]")) {
    if (event.target.method === "post") page.leave();
    return;
  }
  event.preventDefault();
  order(event.target);
});

followPage();
document.querySelectorAll("[data-follow]").forEach(followLog);
