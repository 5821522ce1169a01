// Turns the pages of a prediction's frames: by the slider, and by keys. Without it the links and the button do.
"use strict";
(() => {
  const form = document.getElementById("stepper");
  const slider = form.elements.frame;
  const show = (frame) => {
    const wanted = Math.max(1, Math.min(Number(slider.max), frame));
    if (wanted !== Number(form.dataset.frame)) window.location.search = `?frame=${wanted}`;
  };
  slider.addEventListener("change", () => show(Number(slider.value)));
  document.addEventListener("keydown", (event) => {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.altKey || event.metaKey) return;
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(Number(form.dataset.frame) + move);
  });
})();
