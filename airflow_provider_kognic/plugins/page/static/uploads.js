// Keeps the page of uploads up to date while anything runs, in Airflow's colours; without it, the page is the same
// but stands still. It asks for nothing but the page that it is on.
"use strict";

const EVERY = 3000;
const TOKEN = "token"; // where the UI of Airflow 3.0, which sets no cookie, keeps what its requests are known by
const framed = window.parent !== window;

function around() {
  // Airflow's own document, where the page is shown inside it.
  try {
    return framed ? window.parent.document : null;
  } catch {
    return null;
  }
}

function groundAround() {
  // The colour behind Airflow's frame, of whichever element has one.
  for (let element = around() && window.frameElement; element; element = element.parentElement) {
    const colour = window.parent.getComputedStyle(element).backgroundColor;
    if (colour && colour !== "transparent" && !/[,/] *0\)$/.test(colour)) {
      return colour;
    }
  }
  return null;
}

function takeTheme() {
  const classes = around()?.documentElement.classList;
  const stored = (() => {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null;
    }
  })();
  const theme = classes?.contains("dark") ? "dark" : classes?.contains("light") ? "light" : stored;
  if (theme === "dark" || theme === "light") {
    document.documentElement.dataset.theme = theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
  const ground = groundAround();
  if (ground) {
    document.documentElement.style.setProperty("--ground", ground);
  }
}

function request() {
  const headers = { Accept: "text/html" };
  const token = (() => {
    try {
      return window.localStorage.getItem(TOKEN);
    } catch {
      return null;
    }
  })();
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  return fetch(window.location.href, { headers, credentials: "same-origin" });
}

async function refresh() {
  const answer = await request();
  if (answer.status >= 404 && document.querySelector("main[data-live]")) {
    return; // a restart of Airflow, or a next try that has recorded nothing yet; it is asked again
  }
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const shown = document.querySelector("main");
  if (found) {
    become(shown, document.adoptNode(found));
  }
}

function become(shown, found) {
  // Changes what differs and nothing else: focus, selected text and places scrolled to are the reader's.
  if (shown.isEqualNode(found) || shown.matches("form") && shown.contains(document.activeElement)) {
    return; // somebody types
  }
  for (const { name } of [...shown.attributes]) {
    if (!found.hasAttribute(name)) {
      shown.removeAttribute(name);
    }
  }
  for (const { name, value } of found.attributes) {
    if (shown.getAttribute(name) !== value) {
      shown.setAttribute(name, value);
    }
  }
  const keyed = new Map([...shown.children].map((one) => [keyOf(one), one]));
  const still = new Set([...found.children].map(keyOf));
  let next = shown.firstChild;
  for (const wanted of [...found.childNodes]) {
    while (keyOf(next) && !still.has(keyOf(next))) {
      next = removed(next);
    }
    const key = keyOf(wanted);
    const same = key ? keyed.get(key) : next?.nodeName === wanted.nodeName && !keyOf(next) ? next : null;
    if (!same || same.nodeName !== wanted.nodeName) {
      shown.insertBefore(wanted, next);
      continue;
    }
    if (same === next) {
      next = next.nextSibling;
    } else {
      const focused = document.activeElement;
      shown.insertBefore(same, next); // which takes the focus from it
      if (same.contains(focused)) {
        focused.focus({ preventScroll: true });
      }
    }
    if (same.nodeType === Node.ELEMENT_NODE) {
      become(same, wanted);
    } else if (same.data !== wanted.data) {
      same.data = wanted.data;
    }
  }
  while (next) {
    next = removed(next);
  }
}

function keyOf(node) {
  // What an element is of, where others may come before it or go: rows of tables, parts of the page.
  return node?.dataset?.key || node?.id;
}

function removed(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function schedule() {
  window.setTimeout(async () => {
    if (!document.hidden && document.querySelector("main[data-live]")) {
      await refresh().catch(() => {}); // the next one may come through
    }
    schedule();
  }, EVERY);
}

document.addEventListener("click", (event) => {
  // Airflow's frame lets nothing inside it open a page elsewhere, so its own document is asked to.
  const link = event.target.closest?.("a.out");
  const outside = around();
  if (!link || !outside || event.ctrlKey || event.metaKey || event.shiftKey) {
    return;
  }
  event.preventDefault();
  const stand = outside.createElement("a");
  stand.href = link.href;
  if (link.target === "_blank") {
    stand.target = "_blank";
    stand.rel = "noopener noreferrer";
  }
  outside.body.append(stand);
  stand.click();
  stand.remove();
});

takeTheme();
const theirs = around()?.documentElement;
if (theirs) {
  new MutationObserver(takeTheme).observe(theirs, { attributes: true, attributeFilter: ["class"] });
}
if (document.querySelector("main[data-login]")) {
  try {
    if (window.localStorage.getItem(TOKEN)) {
      refresh().catch(() => {});
    }
  } catch {
    // no storage, no token
  }
}
schedule();
