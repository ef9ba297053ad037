// Tells an open page what is new.
//
// A browser opens no more than six connections to a host, and keeps pages that were left for the way back: a stream for each page would
// use the six up within a few clicks. So one stream, shared by all tabs, says that something has come, and each tab that can be seen asks
// for what concerns it:
//
//   <tbody data-live="address">        new rows are put on top; those that are there already are replaced
//   <section data-refresh="1500">      asked for again by htmx (hx-get, hx-trigger="refresh"), at most once in so many milliseconds
//
// A tab that is hidden, left or kept for the way back holds no connection; it catches up when it is seen again.
"use strict";

(() => {
  const NAME = "hitwire-live";
  const ROWS_MAX = 200;
  const OPEN_ROWS_MAX = 30;
  // Without a stream (too many, a proxy that breaks it off) a page is told all the same, only later.
  const ASK_AT_LEAST_EVERY_MS = 15_000;
  const STREAM_AGAIN_AFTER_MS = 30_000;

  // What runs while the page can be seen; none: it rests.
  let seen = null;

  function start() {
    if (seen || document.hidden || !document.querySelector("[data-live], [data-refresh]")) return;
    seen = new AbortController();
    const { signal } = seen;
    const told = () => { askForRows(signal); refresh(); };
    const timer = setInterval(told, ASK_AT_LEAST_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
    listen(signal, told);
    askForRows(signal);
  }

  function stop() {
    seen?.abort();
    seen = null;
    for (const timer of waiting.values()) clearTimeout(timer);
    waiting.clear();
  }

  // The tab that holds the lock has the stream, and passes on what it hears. When it is left or hidden, another tab gets the lock.
  function listen(signal, told) {
    if (!navigator.locks || !window.BroadcastChannel) {
      hear(signal, told);
      return;
    }
    const channel = new BroadcastChannel(NAME);
    channel.addEventListener("message", told);
    signal.addEventListener("abort", () => channel.close());
    const speak = () => { channel.postMessage("new"); told(); };
    const hold = () => new Promise((release) => {
      if (signal.aborted) { release(); return; }
      signal.addEventListener("abort", release);
      hear(signal, speak);
    });
    // It is refused when this tab rests before its turn comes.
    navigator.locks.request(NAME, { signal }, hold).catch(() => {});
  }

  function hear(signal, told) {
    let source;
    let later;
    const open = () => {
      source = new EventSource("/live");
      source.addEventListener("news", told);
      source.addEventListener("error", () => {
        // A connection that broke is opened again by the browser; an answer that is no stream is not.
        if (source.readyState === EventSource.CLOSED) later = setTimeout(open, STREAM_AGAIN_AFTER_MS);
      });
    };
    signal.addEventListener("abort", () => { clearTimeout(later); source.close(); });
    open();
  }

  function askForRows(signal) {
    for (const body of document.querySelectorAll("[data-live]")) ask(body, signal);
  }

  // Tables that are asking, and those for which something came meanwhile.
  const asking = new Set();
  const again = new Set();

  async function ask(body, signal) {
    if (asking.has(body)) { again.add(body); return; }
    asking.add(body);
    try {
      const answer = await fetch(address(body), { headers: { "x-in-background": "true" }, redirect: "manual", signal });
      const html = await answer.text();
      if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 500)) {
        // Nobody is signed in any more, or what the page shows is gone.
        delete body.dataset.live;
      } else if (answer.ok) {
        if (html) put(body, html);
        const next = new URL(body.dataset.live, location.href);
        next.searchParams.set("after", answer.headers.get("x-live-after"));
        body.dataset.live = next.pathname + next.search;
      }
    } catch {
      // Left, or the server is away: it is asked again.
    } finally {
      asking.delete(body);
      if (again.delete(body) && !signal.aborted && body.dataset.live) ask(body, signal);
    }
  }

  // Rows that are open (<tr data-open="position">) are asked for again: they may have been delivered since.
  function address(body) {
    const open = [...body.querySelectorAll("[data-open]")].slice(0, OPEN_ROWS_MAX).at(-1)?.dataset.open;
    if (!open) return body.dataset.live;
    const again = new URL(body.dataset.live, location.href);
    again.searchParams.set("again", open);
    return again.pathname + again.search;
  }

  function put(body, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const fresh = [];
    for (const row of template.content.querySelectorAll("tr")) {
      const old = row.id && document.getElementById(row.id);
      if (!old) fresh.push(row);
      else if (old.outerHTML !== row.outerHTML) old.replaceWith(row);
    }
    body.prepend(...fresh);
    const most = Number(body.dataset.liveMax) || ROWS_MAX;
    while (body.rows.length > most) body.deleteRow(-1);
    body.closest("[data-live-table]")?.removeAttribute("hidden");
    document.querySelector("[data-live-empty]")?.remove();
  }

  // When each part was asked for last, and the parts whose turn comes. By id: htmx puts another element in the place of a part.
  const refreshedAt = new Map();
  const waiting = new Map();

  function refresh() {
    for (const part of document.querySelectorAll("[data-refresh]")) {
      const { id } = part;
      if (waiting.has(id)) continue;
      const next = (refreshedAt.get(id) ?? 0) + Number(part.dataset.refresh);
      waiting.set(id, setTimeout(() => {
        waiting.delete(id);
        refreshedAt.set(id, performance.now());
        window.htmx?.trigger(document.getElementById(id), "refresh");
      }, Math.max(next - performance.now(), 0)));
    }
  }

  // What was opened in a part stays open in the one that takes its place.
  let opened = [];
  const folds = (part) => [...(part?.querySelectorAll("details") ?? [])];
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    if (target.dataset.refresh) opened = folds(target).map((fold) => fold.open);
  });
  document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    if (target.dataset.refresh) folds(document.getElementById(target.id)).forEach((fold, at) => { fold.open ||= opened[at] ?? false; });
  });

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else start(); });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", start);
})();
