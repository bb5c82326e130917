// Two comforts; every page works without them: copy buttons, and fresh figures without reloading.
"use strict";

const italian = document.documentElement.lang === "it";

function addCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const block of root.querySelectorAll(".copy pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = italian ? "Copia" : "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = italian ? "Copiato" : "Copied";
    });
    block.after(button);
  }
}

function busy(main) {
  const active = document.activeElement;
  const chosen = window.getSelection();
  return document.hidden || main.querySelector(".actions details[open]") !== null
    || (active !== null && active !== document.body && main.contains(active))
    || (chosen !== null && !chosen.isCollapsed);
}

async function refresh() {
  const main = document.getElementById("main");
  if (busy(main)) return;
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  } catch {
    return;  // offline or logged out: the next try or the next click will say
  }
  if (!answer.ok || busy(main)) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
  if (fresh === null) return;
  for (const open of main.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector("#" + CSS.escape(open.id));
    if (same !== null) same.open = true;
  }
  addCopyButtons(fresh);
  main.replaceChildren(...fresh.childNodes);
}

const seconds = Number(document.getElementById("main").dataset.live);
addCopyButtons(document);
if (seconds > 0) setInterval(refresh, seconds * 1000);
