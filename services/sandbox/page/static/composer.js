// The message box: grows with the text, sends on Enter, and completes commands and names.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("[data-composer]")) setUp(form);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, dialog")) return;
    const box = document.querySelector("#composer-text");
    if (!box) return;
    event.preventDefault();
    box.focus();
    fill(box, "/");
  });

  document.addEventListener("click", (event) => {
    const example = event.target.closest("[data-fill]");
    const box = document.querySelector("#composer-text");
    if (!example || !box) return;
    box.focus();
    fill(box, example.dataset.fill);
  });

  function fill(box, text) {
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function setUp(form) {
    const box = form.querySelector("textarea");
    const menu = form.querySelector("[role=listbox]");
    const app = form.dataset.command; // the command of the environment shown, such as "dragonfly"
    const options = Array.from(menu.children);
    let active = -1;
    let hasMoved = false; // true once an arrow key has moved through the menu
    // A draft is kept per person, channel and thread: through a reload, and while another thread is open.
    const draft = ["draft", document.body.dataset.viewer, document.body.dataset.channel, form.dataset.thread].join(" ");

    const shown = () => options.filter((option) => !option.hidden);

    function choose(index) {
      const visible = shown();
      active = visible.length ? (index + visible.length) % visible.length : -1;
      visible.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
      if (active >= 0) {
        box.setAttribute("aria-activedescendant", visible[active].id);
        visible[active].scrollIntoView({ block: "nearest" });
      } else {
        box.removeAttribute("aria-activedescendant");
      }
    }

    // Enter sends a complete text, such as the command without a verb, which is valid too.
    function isWhole() {
      const typed = asked()?.typed;
      return shown()[active]?.dataset.insert === typed || (typed?.trim() === app && !hasMoved);
    }

    function show(isShown) {
      menu.hidden = !isShown;
      if (!isShown) choose(-1);
    }

    // The part being typed: a command at the start of the text, or a name at its end.
    function asked() {
      const command = /^([/@])(d[\w-]*(?: [\w-]*)?)?$/i.exec(box.value);
      if (command && (command[1] === "/" || (command[2] ?? "").toLowerCase().startsWith(`${app} `))) {
        return { kind: "command", mark: command[1], typed: (command[2] ?? "").toLowerCase(), start: 0 };
      }
      const name = /(?:^|\s)@([\w.-]*)$/.exec(box.value);
      if (name) return { kind: "person", mark: "@", typed: name[1].toLowerCase(), start: box.value.length - name[1].length - 1 };
      return null;
    }

    function complete() {
      hasMoved = false;
      const question = asked();
      for (const option of options) {
        const fits = question && option.dataset.kind === question.kind && option.dataset.insert.startsWith(question.typed);
        option.hidden = !fits;
        const mark = option.querySelector(".prefix");
        if (mark && question) mark.textContent = question.mark;
      }
      const visible = shown();
      const isComplete = visible.length === 1 && visible[0].dataset.insert === question?.typed;
      show(visible.length > 0 && !isComplete);
      if (!menu.hidden) choose(0);
    }

    function take() {
      const question = asked();
      const option = shown()[active];
      if (!question || !option) return false;
      const usage = option.querySelector(".usage").textContent;
      box.value = box.value.slice(0, question.start) + question.mark + option.dataset.insert;
      if (usage || question.kind === "person") box.value += " ";
      show(false);
      grow();
      return true;
    }

    function grow() {
      box.style.height = "auto";
      box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
      form.classList.toggle("has-text", box.value.trim() !== "");
      if (box.value.trim()) sessionStorage.setItem(draft, box.value);
      else sessionStorage.removeItem(draft);
    }

    async function send() {
      const text = box.value.trim();
      if (!text) return;
      box.value = "";
      show(false);
      grow();
      const sent = await post("/page/say", {
        channel: document.body.dataset.channel,
        text,
        thread_ts: form.dataset.thread || null,
      });
      if (!sent && !box.value) fill(box, text);
    }

    box.addEventListener("input", () => {
      grow();
      complete();
    });
    // A click on the menu takes the focus for a moment, and the person may be back in the box by then.
    box.addEventListener("blur", () => setTimeout(() => document.activeElement !== box && show(false), 150));
    box.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (!menu.hidden) {
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
          event.preventDefault();
          hasMoved = true;
          choose(active + (event.key === "ArrowDown" ? 1 : -1));
          return;
        }
        if (event.key === "Tab" || (event.key === "Enter" && !isWhole())) {
          event.preventDefault();
          take();
          return;
        }
        if (event.key === "Escape") {
          event.preventDefault();
          event.stopPropagation();
          show(false);
          return;
        }
      }
      if (event.key === "Escape" && box.value.trim()) {
        event.stopPropagation(); // keeps the thread open with its draft
        box.blur();
        return;
      }
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        send();
      }
    });
    menu.addEventListener("mousedown", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option) return;
      event.preventDefault(); // the box keeps the focus
      choose(shown().indexOf(option));
      take();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
      box.focus();
    });
    box.value ||= sessionStorage.getItem(draft) ?? ""; // the person may have started to type before this script ran
    grow();
    if (window.matchMedia("(hover: hover)").matches && (form.dataset.thread || !document.querySelector("#reply-text"))) {
      box.focus({ preventScroll: true });
    }
  }
})();
