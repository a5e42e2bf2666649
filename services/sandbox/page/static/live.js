// Keeps the page up to date: listens for the names of changed parts and fetches only those, without disturbing what a
// person is reading, typing or has opened.
(() => {
  "use strict";

  const NEAR_END_PX = 120; // within this distance from the end, the page scrolls to new messages

  // An unchanged part is not replaced, so that it keeps what was typed or chosen in it.
  const isSame = (oldNode, newNode) =>
    oldNode.dataset?.version !== undefined && oldNode.dataset.version === newNode.dataset?.version;

  // As in Slack, a field that still exists after an update keeps its input.
  const isSameField = (oldNode, newNode) => {
    if (!["INPUT", "TEXTAREA", "SELECT"].includes(oldNode.tagName) || oldNode.name !== newNode.name) return false;
    if (oldNode.tagName === "SELECT") return oldNode.innerHTML === newNode.innerHTML;
    return oldNode.type !== "radio" || oldNode.value === newNode.value;
  };

  htmx.defineExtension("steady", {
    isInlineSwap: (style) => style === "steady",
    handleSwap(style, target, fragment) {
      if (style !== "steady") return false;
      const follows = isNearEnd(target);
      Idiomorph.morph(target, Array.from(fragment.childNodes), {
        morphStyle: "innerHTML",
        callbacks: {
          beforeNodeMorphed(oldNode, newNode) {
            if (oldNode.tagName === "DETAILS") newNode.open = oldNode.open;
            return !isSame(oldNode, newNode) && !isSameField(oldNode, newNode);
          },
        },
      });
      if (follows) target.scrollTop = target.scrollHeight;
      document.dispatchEvent(new CustomEvent("part-refreshed", { detail: target }));
      return true;
    },
  });
  document.body.setAttribute("hx-ext", "steady");

  function isNearEnd(element) {
    if (!element.classList.contains("timeline")) return false;
    return element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
  }

  let source = null;

  function listen() {
    if (source || document.hidden) return;
    source = new EventSource(document.body.dataset.live);
    for (const part of ["timeline", "sidebar", "home", "modal", "panel", "phones"]) {
      source.addEventListener(part, () => htmx.trigger(document.body, `live:${part}`));
    }
  }

  // A hidden tab keeps no connection: browsers allow few per host, and each person of the demo has a tab.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      listen();
    }
  });
  window.addEventListener("pagehide", () => source?.close());

  for (const timeline of document.querySelectorAll(".timeline")) timeline.scrollTop = timeline.scrollHeight;
  listen();
})();
