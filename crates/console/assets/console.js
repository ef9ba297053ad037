// What the pages do beyond plain forms and links. Each page works without it.
"use strict";

// Times: the reader's own zone, with the exact one in the title.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.dateTime;
    const today = new Date().toDateString() === at.toDateString();
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    time.textContent = today
      ? at.toLocaleTimeString(undefined, clock)
      : at.toLocaleString(undefined, { year: "numeric", month: "short", day: "numeric", ...clock });
  }
}

// <button data-copy="id of what is to be copied">
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  const text = "value" in source ? source.value : source.textContent;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy by hand";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
});

// Only one question mark's answer at a time; Escape closes it, and the menu.
document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.(".help") || !event.target.open) return;
  for (const other of document.querySelectorAll(".help[open]")) if (other !== event.target) other.open = false;
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll(".help[open], .menu[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

document.addEventListener("DOMContentLoaded", () => localTimes(document));
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));
