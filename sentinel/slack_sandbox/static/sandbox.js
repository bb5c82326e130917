// Fetches the server-drawn parts when something changed and sends clicks back. Draws nothing itself.
"use strict";

const state = { channel: "", seenViews: null, closed: new Set() };
const user = document.getElementById("user");
const toast = document.getElementById("toast");
const modal = document.getElementById("modal");
let toastTimer = 0;
let refreshing = false;
let again = false;

function say(text, bad) {
  toast.textContent = text;
  toast.className = bad ? "bad" : "good";
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, bad ? 6000 : 2000);
}

async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  try {
    const query = new URLSearchParams({ channel: state.channel, user: user.value });
    const answer = await fetch("/ui/view?" + query);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
    const before = document.querySelectorAll("main article").length;
    for (const part of fresh.querySelectorAll("[data-part]")) {
      document.querySelector(`[data-part="${part.dataset.part}"]`).replaceWith(document.adoptNode(part));
    }
    state.channel = document.querySelector("main").dataset.channel;
    for (const article of document.querySelectorAll("article")) {
      const thread = article.querySelector("details.thread");
      if (thread && state.closed.has(article.id)) thread.open = false;
      if (thread) thread.addEventListener("toggle", () => {
        if (thread.open) state.closed.delete(article.id); else state.closed.add(article.id);
      });
    }
    if (atEnd && before && document.querySelectorAll("main article").length > before) {
      window.scrollTo(0, document.body.scrollHeight);
    }
    showModal();
  } finally {
    refreshing = false;
    if (again) { again = false; refresh(); }
  }
}

function showModal() {
  const views = [...document.querySelectorAll(".modal")];
  const newest = views.length ? Number(views[views.length - 1].dataset.view) : 0;
  const last = views[views.length - 1];
  if (state.seenViews !== null && newest > state.seenViews && last.dataset.user === user.value) {
    modal.querySelector("div").replaceChildren(...last.cloneNode(true).childNodes);
    modal.dataset.view = newest;
    if (!modal.open) modal.showModal();
    modal.scrollTop = 0;
  } else if (modal.open) {
    const shown = views.find((view) => view.dataset.view === modal.dataset.view);
    const inner = modal.querySelector("div");
    if (shown && shown.innerHTML !== inner.innerHTML) inner.replaceChildren(...shown.cloneNode(true).childNodes);
  }
  state.seenViews = newest;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function click(element, selected) {
  const article = element.closest("article");
  const view = element.closest("dialog") ? Number(modal.dataset.view) : 0;
  if (!article && !view) return;
  if (element.dataset.confirm && !window.confirm(element.dataset.confirm)) { refresh(); return; }
  try {
    const answer = await post("/ui/click", {
      channel: state.channel,
      ts: view ? "" : article.dataset.ts,
      view,
      block: element.dataset.block,
      action: element.dataset.action,
      user: user.value,
      selected,
    });
    const milliseconds = Math.round(answer.seconds * 1000);
    if (answer.status === 200) say(`Answered in ${milliseconds} ms (${answer.via})`, false);
    else say(`The app did not accept it: ${answer.status || "no answer"} ${answer.detail}`, true);
  } catch (error) {
    say(error.message, true);
    refresh();
  }
}

document.addEventListener("click", (event) => {
  const goto = event.target.closest("[data-goto]");
  if (goto) { state.channel = goto.dataset.goto; refresh(); return; }
  const button = event.target.closest("button[data-action]");
  if (button) click(button, []);
});

document.addEventListener("change", (event) => {
  const group = event.target.closest("fieldset[data-action]");
  if (group) {
    click(group, [...group.querySelectorAll("input:checked")].map((box) => box.value));
    return;
  }
  if (event.target.matches("select[data-action]") && event.target.value) {
    click(event.target, [event.target.value]);
    if (!event.target.closest("dialog")) event.target.value = "";
  }
});

const desk = document.getElementById("desk");
document.getElementById("tools").addEventListener("click", () => desk.showModal());
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.close).close());
}
document.getElementById("clear").addEventListener("click", () => post("/ui/fault", {}).then(() => desk.close()));
document.getElementById("faults").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  post("/ui/fault", {
    kind: form.get("kind"), method: form.get("method"), times: Number(form.get("times")),
  }).then(() => { desk.close(); say("Armed", false); }).catch((error) => say(error.message, true));
});
user.addEventListener("change", refresh);

const events = new EventSource("/ui/events");
events.onmessage = refresh;
events.onerror = () => say("The sandbox is not there; trying again …", true);
