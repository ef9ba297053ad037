// What the pages do beyond plain forms and links. Each page works without it.
"use strict";

// Pages are written in the time zone that the user chose in the profile, and until then in the browser's, which this tells the server.
{
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (timeZone) document.cookie = `hitwire-zone=${timeZone}; path=/; max-age=31536000; samesite=lax${secure}`;
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

// A box that stands for several: ticked if all are, half if some are. <input data-all="x"> and <input data-one="x">
function boxesOf(all) {
  return [...document.querySelectorAll(`[data-one="${all.dataset.all}"]`)];
}
function showAll(all) {
  const boxes = boxesOf(all);
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
}
document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.dataset?.all) for (const one of boxesOf(box)) one.checked = box.checked;
  for (const all of document.querySelectorAll("[data-all]")) showAll(all);
});
document.addEventListener("DOMContentLoaded", () => {
  for (const all of document.querySelectorAll("[data-all]")) {
    all.parentElement.hidden = false;
    showAll(all);
  }
  // A page that answers a post: what is asked for again is the page behind it, not the post.
  const answer = document.querySelector("[data-address]");
  if (answer) history.replaceState(null, "", answer.dataset.address);
});

// "/" leads to the search, unless somebody types.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const search = document.querySelector("input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
});

// What was asked for in place did not come: <div data-failure="what to say">
for (const failure of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(failure, (event) => {
    const place = event.detail.target;
    if (place?.dataset.failure) place.textContent = place.dataset.failure;
  });
}
