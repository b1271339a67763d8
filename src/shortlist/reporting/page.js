"use strict";
// Draws every chart in its place, and opens what is folded while the page is printed.
const charts = JSON.parse(document.getElementById("charts").textContent);
const options = {mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: false};
for (const place of document.querySelectorAll("[data-chart]")) {
  vegaEmbed(place, charts[Number(place.dataset.chart)], options).then(
    () => place.classList.add("drawn"),
    (error) => console.error(error),
  );
}
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const part of folded) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
});
