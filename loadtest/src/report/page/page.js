(function () {
  "use strict";
  var tip = document.getElementById("tip");
  if (!tip) return;
  var REACH = 28;
  document.addEventListener("pointermove", function (event) {
    var chart = event.target.closest ? event.target.closest("svg.chart") : null;
    var best = null, least = REACH * REACH;
    if (chart) {
      chart.querySelectorAll("[data-t]").forEach(function (mark) {
        var box = mark.getBoundingClientRect();
        var dx = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
        var dy = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
        var away = dx * dx + dy * dy;
        if (away < least) { least = away; best = { text: mark.getAttribute("data-t"), box: box }; }
      });
    }
    tip.hidden = !best;
    if (!best) return;
    tip.textContent = best.text;
    var left = (best.box.left + best.box.right) / 2 - tip.offsetWidth / 2;
    var top = best.box.top - tip.offsetHeight - 8;
    tip.style.left = Math.max(4, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = (top < 4 ? best.box.bottom + 8 : top) + "px";
  });
})();
