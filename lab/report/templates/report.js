"use strict";
// Sorting, searching and taking figures out. Everything else on this page works without it.
(function () {
  function key(cell) {
    var raw = cell.dataset.sort !== undefined ? cell.dataset.sort : cell.textContent.trim();
    var value = Number(raw);
    return raw === "" ? null : Number.isNaN(value) ? raw.toLowerCase() : value;
  }
  function compare(a, b) {
    if (a === null || b === null) { return a === b ? 0 : a === null ? 1 : -1; }
    if (typeof a !== typeof b) { return typeof a === "number" ? -1 : 1; }
    return a < b ? -1 : a > b ? 1 : 0;
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var body = table.tBodies[0];
    table.querySelectorAll("thead th").forEach(function (head, index) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) { button.appendChild(head.firstChild); }
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        Array.from(body.rows)
          .map(function (row, place) { return { row: row, place: place, key: key(row.cells[index]) }; })
          .sort(function (a, b) {
            if (a.key === null || b.key === null) { return compare(a.key, b.key) || a.place - b.place; }
            return (down ? -1 : 1) * compare(a.key, b.key) || a.place - b.place;
          })
          .forEach(function (item) { body.appendChild(item.row); });
      });
    });
  });
  document.querySelectorAll("[data-search]").forEach(function (box) {
    var table = document.getElementById(box.dataset.search);
    var count = document.getElementById(box.dataset.search + "-count");
    box.closest(".search").hidden = false;
    function show() {
      var words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        var text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return text.includes(word); });
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = shown + " of " + table.tBodies[0].rows.length;
    }
    box.addEventListener("input", show);
    show();
  });
  document.querySelectorAll("a.download").forEach(function (link) {
    link.hidden = false;
    link.addEventListener("click", function () {
      var svg = link.closest("figure").querySelector("svg");
      // A picture outside the page keeps its own inks, on white.
      var text = new XMLSerializer().serializeToString(svg).replace(/var\(--[a-z]+,\s*(#[0-9a-f]{6})\)/g, "$1");
      text = text.replace(/(<desc[^>]*>[^<]*<\/desc>)/, '$1<rect width="100%" height="100%" fill="#ffffff"/>');
      link.href = "data:image/svg+xml;charset=utf-8," + encodeURIComponent('<?xml version="1.0" encoding="UTF-8"?>\n' + text);
    });
  });
})();
