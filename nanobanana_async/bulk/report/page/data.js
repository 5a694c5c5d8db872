// What the page knows: the run, its rows, and the input's lines that were rejected.
// Whatever a user wrote reaches the page by textContent only, so it stays text.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const about = read("data-about");
const rows = read("data-rows");
const rejected = read("data-rejected");

const byId = (id) => document.getElementById(id);

/** Make an element. Children are elements, or text that stays text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const STATES = new Map(Object.entries({
  succeeded: ["Succeeded", "The picture was made."],
  failed: ["Failed", "The API says that the task failed."],
  refused: ["Refused", "The API never accepted it."],
  unknown: ["Unknown", "The answer was lost: it may have been accepted."],
  stuck: ["Stuck", "It was accepted, and never seen to end."],
  not_found: ["Not found", "The API does not know the task any more."],
  unreadable: ["Unreadable", "The API's answer made no sense."],
  download_failed: ["Not downloaded", "The picture was made, but could not be fetched."],
}));

const stateName = (state) => (STATES.get(state) ?? [state])[0];
const stateHint = (state) => (STATES.get(state) ?? ["", ""])[1];

/** The class that colours a state: good, bad, or open. */
function stateLook(state) {
  if (state === "succeeded") return "good";
  return ["unknown", "stuck", "not_found", "unreadable"].includes(state) ? "open" : "bad";
}

const count = (value) => value.toLocaleString("en");

function plural(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** A card for each picture, and one for each row that has none. */
function cardsOf(some) {
  return some.flatMap((row) =>
    (row.pictures ?? [null]).map((picture, index) => ({ row, picture, index })),
  );
}

const shorten = (text, length) => {
  const line = text.slice(0, 4 * length).replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
};

const faultName = { "picture missing": "Picture missing", "picture cannot be read": "Cannot be read" };
