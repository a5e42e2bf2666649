// A person's acts other than typing: buttons with their confirmations, menus, modals, the panel, drawers, keys.
"use strict";

// Send an act to the server; its effects arrive as a live update. True if the server accepted it.
async function post(path, act) {
  const answer = await fetch(document.body.dataset.prefix + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ viewer: document.body.dataset.viewer, ...act }),
  }).catch(() => null);
  if (answer?.ok) {
    const outcome = await answer.json();
    if (outcome?.problem) toast(`The app did not answer as it should: ${outcome.problem}`);
    if (outcome?.told) toast(outcome.told);
    return !outcome?.problem;
  }
  const problem = answer ? await answer.json().catch(() => ({})) : { detail: "the sandbox does not answer" };
  toast(typeof problem.detail === "string" ? problem.detail : `It did not work (${answer.status})`);
  return false;
}

function toast(text) {
  const note = document.createElement("p");
  note.textContent = text;
  document.querySelector("#toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

(() => {
  const confirmDialog = document.querySelector("#confirm");
  const modal = document.querySelector("#modal");

  // The value of one control, as the local Slack expects it.
  function valueOf(control) {
    const field = control.querySelector("select, textarea, input");
    if (!field) return undefined;
    if (field.type === "radio") return control.querySelector("input:checked")?.value ?? "";
    return field.value;
  }

  function answersIn(surface) {
    const answers = {};
    for (const control of surface.querySelectorAll("[data-control]")) {
      const value = valueOf(control);
      if (value === undefined) continue;
      (answers[control.dataset.block] ??= {})[control.dataset.action] = value;
    }
    return answers;
  }

  function ask(control) {
    const question = control.querySelector(":scope > template.confirmation");
    if (!question) return Promise.resolve(true);
    const form = confirmDialog.querySelector("form");
    form.replaceChildren(question.content.cloneNode(true));
    confirmDialog.returnValue = "no";
    confirmDialog.showModal();
    return new Promise((resolve) => {
      confirmDialog.addEventListener("close", () => resolve(confirmDialog.returnValue === "yes"), { once: true });
    });
  }

  async function use(trigger) {
    const control = trigger.closest("[data-control]");
    const surface = trigger.closest("[data-surface]");
    const input = trigger.closest("[data-input]");
    if (!control || !surface || (input && !input.hasAttribute("data-dispatch"))) return;
    if (!(await ask(control))) return;
    control.setAttribute("aria-busy", "true");
    await post("/page/click", {
      action_id: control.dataset.action,
      block_id: control.dataset.block,
      value: trigger.dataset.choice ?? valueOf(control) ?? null,
      answers: answersIn(surface),
      channel: document.body.dataset.channel,
      ts: surface.dataset.ts ?? "",
      view_id: surface.dataset.view ?? null,
    });
    control.removeAttribute("aria-busy");
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    const trigger = target.closest("button[data-send], a[data-send]");
    if (trigger) {
      closePopups();
      use(trigger);
    }
    const shortcut = target.closest("[data-shortcut]");
    if (shortcut) {
      closePopups();
      const { ts } = shortcut.closest("[data-surface]").dataset;
      post("/page/shortcut", { callback_id: shortcut.dataset.shortcut, channel: document.body.dataset.channel, ts });
    }
    const reaction = target.closest("[data-react]");
    if (reaction) {
      const { ts } = reaction.closest("[data-surface]").dataset;
      post("/page/react", { name: reaction.dataset.react, channel: document.body.dataset.channel, ts });
    }
    const dismissed = target.closest("[data-dismiss]");
    if (dismissed) {
      const { ts } = dismissed.closest("[data-surface]").dataset;
      post("/page/dismiss", { channel: document.body.dataset.channel, ts });
    }
    if (!target.closest(".popup")) closePopups();
    const breaker = target.closest("button[data-break]");
    if (breaker) breakIt(breaker, breaker.dataset);
    const starter = target.closest("[data-start-environment]");
    if (starter) startEnvironment(starter);
    const toggle = target.closest("[data-toggle]");
    if (toggle) toggleDrawer(toggle.dataset.toggle);
    if (target.closest("[data-close-drawers]")) closeDrawers();
    const closer = target.closest("[data-close-modal]");
    if (closer) closeModal(closer.dataset.closeModal === "all");
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-send]")) use(event.target);
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.matches("[data-modal]")) {
      event.preventDefault();
      form.setAttribute("aria-busy", "true");
      await post("/page/submit", { view_id: form.dataset.view, answers: answersIn(form) });
      form.removeAttribute("aria-busy");
    }
    if (form.matches("[data-upload]")) {
      event.preventDefault();
      const file = form.file.files[0];
      if (file && (await post("/page/break/upload", { name: file.name, content: await file.text() }))) form.reset();
    }
    if (form.matches("[data-break]")) {
      event.preventDefault();
      breakIt(form.querySelector("[type=submit]"), { ...form.dataset, sha: form.sha.value });
    }
  });

  async function breakIt(button, { break: what, replica, service, sha, seconds, ring }) {
    button.disabled = true;
    await post(`/page/break/${what}`, { replica, service, sha, ring, seconds: seconds && Number(seconds) });
    button.disabled = false;
    htmx.trigger(document.body, "live:panel");
  }

  // The second environment is started when it is chosen for the first time; then its page is opened.
  async function startEnvironment(button) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    toast("Starting it: its database, API, workers and bot. It takes some seconds.");
    const answer = await fetch("/page/start-environment", { method: "POST" }).catch(() => null);
    const outcome = await answer?.json().catch(() => ({}));
    if (answer?.ok) window.location.assign(`${outcome.prefix}/?as=${document.body.dataset.viewer}`);
    else toast(outcome?.detail ?? "the sandbox does not answer");
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }

  function closePopups() {
    for (const popup of document.querySelectorAll("details.popup[open]")) popup.open = false;
  }

  // The modal's element always exists; it is open while it has content.
  function followModal() {
    const form = modal.querySelector("form");
    if (form && !modal.open) modal.showModal();
    if (!form && modal.open) modal.close();
    modal.querySelector(".field-error")?.closest(".input").querySelector("input, textarea, select")?.focus();
  }

  function closeModal(allOfThem) {
    const form = modal.querySelector("form");
    if (form) post("/page/close", { view_id: form.dataset.view, all_of_them: allOfThem });
  }

  modal.addEventListener("cancel", (event) => {
    event.preventDefault(); // the app is notified first; then the element closes
    closeModal(false);
  });
  document.addEventListener("part-refreshed", (event) => {
    if (event.detail === modal) followModal();
  });
  followModal();

  const isNarrow = () => window.matchMedia("(max-width: 1199px)").matches;
  const curtain = document.querySelector(".curtain");

  function toggleDrawer(name) {
    if (name === "show-panel" && !isNarrow()) {
      const hidden = document.body.classList.toggle("hide-panel");
      sessionStorage.setItem("hide-panel", hidden ? "yes" : "");
      return;
    }
    const opens = !document.body.classList.contains(name);
    closeDrawers();
    document.body.classList.toggle(name, opens);
    curtain.hidden = !opens;
  }

  function closeDrawers() {
    document.body.classList.remove("show-sidebar", "show-panel");
    curtain.hidden = true;
  }

  document.body.classList.toggle("hide-panel", sessionStorage.getItem("hide-panel") === "yes");

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    if (document.querySelector("details.popup[open]")) closePopups();
    else if (document.body.matches(".show-sidebar, .show-panel")) closeDrawers();
    else document.querySelector("#close-thread")?.click();
  });

  if (document.querySelector("#home")) post("/page/open-home", {});
})();
