// One picture at a time. What comes from people or from the server is only ever set as text.

const WORDS = {
  sending: "Sending…",
  queued: "Waiting in line…",
  submitted: "Drawing…",
  processing: "Drawing…",
  done: "Done",
  failed: "",
};
const COME_BACK = 2000; // milliseconds

const at = (selector) => document.querySelector(selector);
const form = at("form");
const button = at("button");
const prompt = at("#prompt");
const status = at("#status");

let job = null; // the id of the job that is shown
let stream = null;
let began = 0; // when the job was asked for, by this machine's clock
let ticking = 0;

function say(words) {
  if (status.textContent !== words) status.textContent = words; // a screen reader says each change
}

function tick() {
  const seconds = Math.max(0, Math.round((performance.now() - began) / 1000));
  at("#seconds").textContent = `${seconds} s`;
}

function busy(yes) {
  // Not `disabled`: the keyboard would lose its place.
  button.setAttribute("aria-disabled", yes);
  at("progress").hidden = !yes;
  clearInterval(ticking);
  if (yes) ticking = setInterval(tick, 250);
}

function fail(message) {
  say("");
  at("#seconds").textContent = "";
  at("#error").textContent = message;
  busy(false);
}

function begin(words) {
  began = performance.now();
  at("#asked").textContent = words;
  at("#error").textContent = "";
  at("figure").replaceChildren();
  at("section").hidden = false;
  say(WORDS.sending);
  tick();
  busy(true);
}

function show(news) {
  began = performance.now() - news.seconds * 1000;
  if (news.error) fail(news.error.message);
  else say(WORDS[news.state] ?? news.state);
  if (news.state !== "done") return;
  tick();
  busy(false);
  const picture = new Image();
  picture.alt = at("#asked").textContent;
  picture.src = news.picture;
  at("figure").replaceChildren(picture);
}

function follow(id) {
  stream?.close();
  stream = new EventSource(`jobs/${id}/events`);
  stream.addEventListener("state", ({ data }) => {
    const news = JSON.parse(data);
    if (["done", "failed"].includes(news.state)) stream.close(); // or it would come back for more
    show(news);
  });
  stream.addEventListener("restart", () => say("The server restarts; your place is kept…"));
  stream.addEventListener("error", () => {
    // By itself it comes back after a break, and not after an answer such as a proxy's 502.
    if (stream.readyState === EventSource.CLOSED) setTimeout(look, COME_BACK, id);
  });
}

async function look(id) {
  if (id !== job) return;
  try {
    const answer = await fetch(`jobs/${id}`);
    if (answer.status === 404) {
      forget();
      fail("This picture is not known any more.");
      return;
    }
    if (answer.ok) {
      const news = await answer.json();
      at("#asked").textContent = news.prompt;
      follow(id);
      return;
    }
  } catch {
    // No network: once more.
  }
  setTimeout(look, COME_BACK, id);
}

function remember(id) {
  job = id;
  history.replaceState(null, "", `#${id}`); // so that it is found again after a reload
}

function forget() {
  job = null;
  history.replaceState(null, "", location.pathname);
}

async function post(order) {
  const body = JSON.stringify(order);
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("jobs", { method: "POST", headers, body });
  const said = await answer.json();
  if (answer.ok) return said;
  const wait = answer.headers.get("Retry-After");
  const when = wait ? ` In about ${wait} s, perhaps.` : "";
  throw new Refused((said.error?.message ?? "This cannot be drawn.") + when);
}

class Refused extends Error {}

async function draw(words) {
  begin(words);
  // With an id of our own it may be sent twice: after a lost answer it is still one job.
  const order = { prompt: words, id: crypto.randomUUID?.() };
  for (const last of [false, true]) {
    try {
      const news = await post(order);
      remember(news.id);
      show(news);
      follow(news.id);
      return;
    } catch (error) {
      if (error instanceof Refused) return fail(error.message);
      if (last || !order.id) return fail("The server cannot be reached.");
    }
    await new Promise((done) => setTimeout(done, COME_BACK));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") !== "true") draw(prompt.value.trim());
});

prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

if (location.hash) {
  begin("");
  remember(location.hash.slice(1));
  look(job);
}
