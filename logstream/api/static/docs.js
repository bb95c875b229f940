"use strict";

// Forms of the API page: send what they say, and show what comes back.

for (const place of document.querySelectorAll("[data-origin]")) {
  place.textContent = location.origin;
}

function requestOf(article, form) {
  let path = article.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.value === "") continue;
    if (input.dataset.in === "path") {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (input.dataset.in === "header") {
      headers[input.name] = input.value;
    } else {
      query.append(input.name, input.value);
    }
  }
  const options = { method: article.dataset.method, headers };
  const body = form.querySelector("textarea");
  if (body) {
    options.body = body.value;
    headers["Content-Type"] = form.elements["content-type"].value;
  }
  const text = query.toString();
  return [text ? `${path}?${text}` : path, options];
}

function asCurl(url, options) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", quoted(location.origin + url)];
  for (const [name, value] of Object.entries(options.headers)) {
    parts.push("-H", quoted(`${name}: ${value}`));
  }
  if (options.body !== undefined) {
    parts.push("--data-binary", quoted(options.body));
  } else if (options.method !== "GET") {
    parts.push("-X", options.method);
  }
  return parts.join(" ");
}

function pretty(text, kind) {
  if (!/json/.test(kind)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(result, line, good, details, body) {
  result.replaceChildren();
  const status = document.createElement("p");
  status.className = good ? "good" : "bad";
  status.textContent = line;
  result.append(status);
  for (const text of details) {
    const detail = document.createElement("p");
    const code = document.createElement("code");
    code.textContent = text;
    detail.append(code);
    result.append(detail);
  }
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.textContent = body;
  result.append(pre);
  result.hidden = false;
}

async function send(article, form, result) {
  const [url, options] = requestOf(article, form);
  const details = [asCurl(url, options)];
  const began = performance.now();
  try {
    const answer = await fetch(url, options);
    const text = await answer.text();
    const took = (performance.now() - began).toFixed(1);
    for (const name of ["Link", "Retry-After"]) {
      const value = answer.headers.get(name);
      if (value) details.push(`${name}: ${value}`);
    }
    const kind = answer.headers.get("Content-Type") || "";
    const line = `${answer.status} ${answer.statusText} in ${took} ms, ${kind}`;
    show(result, line, answer.ok, details, pretty(text, kind));
  } catch (error) {
    show(result, "No answer", false, details, String(error));
  }
}

for (const form of document.querySelectorAll("form")) {
  const article = form.closest("article");
  const result = article.querySelector(".result");
  const kinds = form.elements["content-type"];
  kinds?.addEventListener("change", () => {
    form.querySelector("textarea").value = kinds.selectedOptions[0].dataset.example;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    await send(article, form, result);
    button.disabled = false;
    button.focus();
  });
}

// A link to a call opens its form.
function openTarget() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id && document.getElementById(id);
  target?.querySelector("details.try")?.setAttribute("open", "");
}

addEventListener("hashchange", openTarget);
openTarget();
