// The page: history, keys, pictures that are dropped, and what screen readers hear. htmx fetches the parts.
"use strict";

const form = document.getElementById("search");
const query = document.getElementById("q");
const results = document.getElementById("results");
const viewer = document.getElementById("viewer");

const SAME_SEARCH_MS = 2000; // letters typed within this time are one entry of the history
const CSRF = document.querySelector("meta[name=csrf]")?.content ?? "";

let lastTyped = 0;
let opener = null; // what had the focus before a photograph was opened
const unfolded = [matchMedia("(min-width: 52rem)").matches, matchMedia("(min-width: 52rem)").matches];

// --- requests of htmx -------------------------------------------------------------------------------------

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.request.method === "POST") ctx.request.headers["X-CSRF-Token"] = CSRF;
  if (ctx.sourceElement !== form) return;
  tidy(ctx.request.body);
  const now = performance.now();
  if (now - lastTyped < SAME_SEARCH_MS && ctx.sourceEvent?.type !== "submit") {
    ctx.push = null;
    ctx.replace = "true";
  }
  lastTyped = now;
});

// What is empty, or as usual, does not stand in the URL.
function tidy(body) {
  if (body.get("q")?.trim()) ["like", "picture"].forEach((name) => body.delete(name));
  const least = document.getElementById("min_score");
  if (least && "unset" in least.dataset) body.delete("min_score");
  for (const [name, value] of [...body.entries()]) if (!value.trim()) body.delete(name);
}

document.addEventListener("htmx:after:swap", (event) => {
  const target = event.detail.ctx.target;
  if (target === results) announce();
  if (target === viewer) openViewer();
});

document.addEventListener("htmx:error", () => say("The server does not answer. Is stsearch serve still running?"));

function announce() {
  const shown = results.querySelector(".summary, .notice, .welcome p");
  say(shown ? shown.innerText.replace(/\s+/g, " ").replace(/ Clear$/, "") : "");
  nameTab();
}

function nameTab() {
  const file = viewer.open && viewer.querySelector("header .quiet bdi")?.innerText;
  const title = results.querySelector(".summary strong")?.innerText || "Search";
  document.title = `${file ? `${file} · ` : ""}${title} · stsearch`;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

// --- history: back and forward show what the URL says -------------------------------------------------------

document.addEventListener("htmx:before:history:restore", (event) => {
  event.preventDefault();
  const url = new URL(location.href);
  const hit = url.searchParams.get("hit");
  url.searchParams.delete("hit");
  const isSameSearch = results.dataset.url === url.search;
  fillForm(url.searchParams);
  if (!isSameSearch) load(url.pathname + url.search, results).then(rememberSearch);
  if (hit) load(location.pathname + location.search, viewer);
  else closeViewer();
});

function load(place, target) {
  const source = target;  // what the request says that it is for is read from there
  return htmx.ajax("GET", place, { source, target, swap: "innerHTML" });
}

function rememberSearch() {
  const url = new URL(location.href);
  url.searchParams.delete("hit");
  results.dataset.url = url.search;
}

document.addEventListener("htmx:after:history:push", rememberSearch);
document.addEventListener("htmx:after:history:replace", rememberSearch);

function fillForm(given) {
  for (const field of form.elements) {
    if (!field.name) continue;
    field.value = given.get(field.name) ?? "";
    if (field.type === "range") setLeast(field, given.get(field.name));
  }
}

function setLeast(field, value) {
  if (value === null) {
    field.dataset.unset = "";
    field.value = 0.2;
  } else delete field.dataset.unset;
  document.getElementById("least").textContent = value === null ? "as usual" : Number(field.value).toFixed(2);
}

function go(place) {
  history.pushState({ htmx: true }, "", place);
  fillForm(new URL(location.href).searchParams);
  closeViewer();
  return load(place, results).then(rememberSearch);
}

// --- filters ------------------------------------------------------------------------------------------------

document.getElementById("min_score").addEventListener("input", (event) => setLeast(event.target, event.target.value));

document.getElementById("clear-filters").addEventListener("click", () => {
  const kept = new URLSearchParams();
  for (const name of ["q", "like", "picture"]) if (form.elements[name].value) kept.set(name, form.elements[name].value);
  go(`/?${kept}`);
});

query.addEventListener("input", () => {
  form.elements.like.value = form.elements.picture.value = "";
});

// --- one photograph -----------------------------------------------------------------------------------------

function openViewer() {
  if (!viewer.firstElementChild) return;
  if (!viewer.open) {
    opener = document.activeElement;
    viewer.showModal();
  }
  window.stsearchViewer.begin(document.getElementById("photo"));
  viewer.querySelectorAll("details").forEach((details) => {
    const which = details.classList.contains("why") ? 0 : 1;
    details.open = unfolded[which];
    details.addEventListener("toggle", () => (unfolded[which] = details.open));
  });
  document.getElementById("viewer-title").focus({ preventScroll: true });
  nameTab();
}

function closeViewer() {
  if (!viewer.open) return;
  const rank = viewer.querySelector(".viewer")?.dataset.rank;
  viewer.close();
  viewer.replaceChildren();
  const back = opener?.isConnected ? opener : null;
  (document.querySelector(`#hit-${rank} a`) ?? back)?.focus();
  opener = null;
  nameTab();
}

// Closing goes back in the history where the photograph was opened from the hits, else to the search itself.
function leaveViewer() {
  const place = viewer.querySelector(".close")?.getAttribute("href");
  if (!place) return;
  if (opener?.isConnected && opener !== document.body) return history.back();
  history.pushState({ htmx: true }, "", place);
  closeViewer();
}

viewer.addEventListener("cancel", (event) => {
  event.preventDefault();
  leaveViewer();
});

viewer.addEventListener("click", (event) => {
  if (event.target.closest(".close") && !isNewTab(event)) {
    event.preventDefault();
    leaveViewer();
  }
  const zoom = event.target.closest("[data-zoom]")?.dataset.zoom;
  if (zoom) window.stsearchViewer[zoom]();
});

function isNewTab(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
}

// Links to other searches are shown without loading the page anew.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".advice a, .chips a, .viewer a.button[href*='like='], .summary a, .brand");
  if (!link || link.hasAttribute("rel") || isNewTab(event) || !link.getAttribute("href").startsWith("/")) return;
  event.preventDefault();
  go(link.getAttribute("href")).then(() => results.focus());
});

// --- keys -----------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input:not([type=range]), select, textarea");
  if (viewer.open) keyInViewer(event);
  else if (event.key === "/" && !isTyping) {
    event.preventDefault();
    query.focus();
    query.select();
  } else if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) keyInHits(event);
});

function keyInViewer(event) {
  const turns = { ArrowLeft: "[rel=prev]", ArrowRight: "[rel=next]" };
  const zooms = { "+": "in", "=": "in", "-": "out", "−": "out", 0: "fit" };
  if (turns[event.key]) viewer.querySelector(turns[event.key])?.click();
  else if (zooms[event.key]) window.stsearchViewer[zooms[event.key]]();
  else return;
  event.preventDefault();
}

function keyInHits(event) {
  const links = [...results.querySelectorAll(".hit a")];
  const at = links.indexOf(document.activeElement);
  if (at < 0) {
    if (event.target === query && event.key === "ArrowDown" && links.length) {
      event.preventDefault();
      links[0].focus();
    }
    return;
  }
  const inRow = links.filter((link) => link.offsetTop === links[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -inRow, ArrowDown: inRow }[event.key];
  event.preventDefault();
  if (at + step < 0) query.focus();
  else links[Math.min(at + step, links.length - 1)].focus();
}

// --- pictures ---------------------------------------------------------------------------------------------------

const drop = document.getElementById("drop");
let depth = 0;

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

document.addEventListener("dragenter", (event) => {
  if (hasFiles(event)) drop.hidden = ++depth < 1;
});
document.addEventListener("dragleave", (event) => {
  if (hasFiles(event) && --depth < 1) drop.hidden = true;
});
document.addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  depth = 0;
  drop.hidden = true;
  searchPicture(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const picture = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (picture) searchPicture(picture);
});
document.getElementById("file").addEventListener("change", (event) => {
  searchPicture(event.target.files[0]);
  event.target.value = "";
});

async function searchPicture(file) {
  if (!file) return;
  document.getElementById("help").hidePopover?.();
  tell("Reading the picture …");
  try {
    const answer = await fetch("/api/search?top=1", { method: "POST", body: file });
    const line = await answer.json();
    if (!answer.ok) return tell(line.message);
    await go(`/?picture=${encodeURIComponent(line.picture)}`);
    results.focus();
  } catch {
    tell("The server does not answer. Is stsearch serve still running?");
  }
}

function tell(text) {
  const notice = document.createElement("div");
  notice.className = "notice";
  notice.append(Object.assign(document.createElement("p"), { textContent: text }));
  results.replaceChildren(notice);
  say(text);
}

// --- begin --------------------------------------------------------------------------------------------------------

history.replaceState({ htmx: true }, "", location.href);
rememberSearch();
if (viewer.open) {
  viewer.removeAttribute("open"); // as it is shown without scripts
  openViewer();
}
addEventListener("load", () => {
  announce(); // a screen reader speaks what changes, and not what was there from the beginning
  if (query.value !== query.defaultValue) form.requestSubmit(); // typed before the scripts were there
});
