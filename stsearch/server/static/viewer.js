// Zoom and pan of one photograph, by the viewBox of its SVG: outlines and text stay where they belong.
"use strict";

window.stsearchViewer = (() => {
  const MOST = 40; // times
  const STEP = 1.5;
  const FULL_FROM = 1.4; // zoom from which the photograph is shown in its own pixels

  let svg = null;
  let whole = null; // {x, y, width, height} of the photograph
  let view = null;
  const touches = new Map(); // by pointer
  let distance = 0;

  function begin(photo) {
    touches.clear();
    svg = photo;
    if (!svg) return;
    const { x, y, width, height } = svg.viewBox.baseVal;
    whole = { x, y, width, height };
    view = { ...whole };
    svg.addEventListener("wheel", onWheel, { passive: false });
    svg.addEventListener("pointerdown", onDown);
    svg.addEventListener("pointermove", onMove);
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) svg.addEventListener(end, onUp);
    svg.addEventListener("dblclick", (event) => {
      if (event.target.tagName !== "text") zoom(2, place(event));
    });
  }

  const scale = () => whole.width / view.width;

  function show() {
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    const picture = svg.querySelector("image");
    if (scale() > FULL_FROM && picture.getAttribute("href") !== svg.dataset.full)
      picture.setAttribute("href", svg.dataset.full);
  }

  // The point of the photograph below a pointer.
  function place(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  }

  function zoom(factor, around = { x: view.x + view.width / 2, y: view.y + view.height / 2 }) {
    const wanted = Math.min(Math.max(scale() * factor, 1), MOST);
    const by = scale() / wanted;
    view = {
      x: around.x - (around.x - view.x) * by,
      y: around.y - (around.y - view.y) * by,
      width: whole.width / wanted,
      height: whole.height / wanted,
    };
    keepInside();
    show();
  }

  function keepInside() {
    view.x = Math.min(Math.max(view.x, 0), whole.width - view.width);
    view.y = Math.min(Math.max(view.y, 0), whole.height - view.height);
  }

  function onWheel(event) {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), place(event));
  }

  function onDown(event) {
    if (event.pointerType === "mouse" && event.target.tagName === "text") return; // it is selected
    touches.set(event.pointerId, place(event));
    svg.setPointerCapture(event.pointerId);
    svg.classList.add("is-moving");
    distance = apart(event);
  }

  // Pixels between two fingers.
  const fingers = new Map();
  function apart(event) {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    const [one, two] = [...touches.keys()].map((id) => fingers.get(id));
    return one && two ? Math.hypot(one[0] - two[0], one[1] - two[1]) : 0;
  }

  function onMove(event) {
    if (!touches.has(event.pointerId)) return;
    if (touches.size === 2) {
      const now = apart(event);
      if (distance && now) zoom(now / distance, place(event));
      distance = now;
      return;
    }
    const from = touches.get(event.pointerId);
    const to = place(event);
    view.x += from.x - to.x;
    view.y += from.y - to.y;
    keepInside();
    show();
  }

  function onUp(event) {
    touches.delete(event.pointerId);
    fingers.delete(event.pointerId);
    distance = 0;
    if (!touches.size) svg.classList.remove("is-moving");
  }

  return {
    begin,
    in: () => svg && zoom(STEP, focus()),
    out: () => svg && zoom(1 / STEP),
    fit: () => {
      if (!svg) return;
      view = { ...whole };
      show();
    },
  };

  // The word is zoomed into first; afterwards the middle of what is shown.
  function focus() {
    if (scale() > 1.01 || !svg.dataset.focus) return undefined;
    const [x, y, width, height] = svg.dataset.focus.split(" ").map(Number);
    return { x: x + width / 2, y: y + height / 2 };
  }
})();
