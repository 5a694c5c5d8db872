// Brings the parts together.

const VIEWS = ["pictures", "failures", "plots"];

const viewer = new Viewer();
const sheet = new Sheet(byId("sheet"), (cards, index) =>
  viewer.open(cards, index, (last) => sheet.focus(last)),
);

let failing = [];
const failureList = new LongList(byId("failure-list"), byId("more-failures"), (row, index) =>
  failureItem(row, (event) => {
    const opener = event.currentTarget;
    const cards = failing.map((each) => ({ row: each, picture: each.pictures?.[0] ?? null, index: 0 }));
    viewer.open(cards, index, () => opener.focus());
  }),
);
const rejectedList = new LongList(byId("rejected-list"), byId("more-rejected"), rejectedItem);

/** Show what the query leaves. */
function refresh() {
  const found = isQuery() ? rows.filter(matches) : rows;
  const lines = rejected.filter(rejectedMatches);
  failing = found.filter((row) => row.reason != null);
  sheet.show(cardsOf(found));
  failureList.show(failing);
  rejectedList.show(lines);
  setCount("pictures", found.length);
  setCount("failures", failing.length + lines.length);
  byId("nothing").hidden = found.length > 0;
  byId("rejected").hidden = lines.length === 0;
  byId("no-failures").hidden = failing.length + lines.length > 0;
  byId("no-failures").textContent = isQuery() ? "No failure is like that." : "Nothing went wrong.";
  byId("clear").hidden = !isQuery();
  byId("found").textContent = isQuery()
    ? `${count(found.length)} of ${plural(rows.length, "row")}`
    : plural(rows.length, "row");
  places.clear();
  scrollTo(0, Math.min(scrollY, firstLine()));
}

// How far each view was scrolled, so that a look at the failures costs nobody their place.
const places = new Map();

/** Where the head is out of sight, and the view begins below what sticks to the top. */
function firstLine() {
  const start = document.querySelector("main").getBoundingClientRect().top + scrollY;
  const stuck = (parseFloat(getComputedStyle(byId("tools")).top) || 0) + byId("tools").offsetHeight;
  return Math.max(0, start - stuck);
}

function setCount(view, value) {
  byId(`tab-${view}`).querySelector(".count").textContent = count(value);
}

function select(view) {
  places.set(selected(), scrollY);
  for (const each of VIEWS) {
    const tab = byId(`tab-${each}`);
    tab.setAttribute("aria-selected", each === view);
    tab.tabIndex = each === view ? 0 : -1;
    byId(each).hidden = each !== view;
  }
  byId("tools").hidden = view === "plots";
  document.body.dataset.view = view;
  sheet.layout();
  scrollTo(0, places.get(view) ?? Math.min(scrollY, firstLine()));
}

const selected = () => VIEWS.find((view) => !byId(view).hidden);

function head() {
  byId("input").textContent = about.input ?? "Without a name";
  const asked = about.asked ?? about.done;
  const pictures = rows.reduce((sum, row) => sum + (row.pictures?.filter((p) => p.thumbnail).length ?? 0), 0);
  const said = [`${plural(asked, "row")} asked for`, `${plural(pictures, "picture")} here`];
  if (about.waiting) said.push(`${count(about.waiting)} not done yet`);
  if (rejected.length) said.push(`${count(rejected.length)} rejected in the input`);
  byId("asked").append(`${said.join(" · ")} · written `, moment(about.written));
  if (about.damaged) {
    byId("notes").hidden = false;
    byId("notes").textContent = `${plural(about.damaged, "line")} of results.jsonl could not be read.`;
  }
  for (const [state, number] of orderedStates()) addState(state, number);
  if (about.waiting) byId("share").append(slice("waiting", about.waiting));
}

/** What went well first, then what needs a look, as the colours of the bar. */
function orderedStates() {
  const order = ["good", "bad", "open"];
  return Object.entries(about.states).sort(
    ([a, x], [b, y]) => order.indexOf(stateLook(a)) - order.indexOf(stateLook(b)) || y - x,
  );
}

function slice(look, number) {
  const part = make("span", { class: look });
  part.style.flexGrow = number;
  return part;
}

function addState(state, number) {
  byId("share").append(slice(stateLook(state), number));
  const chip = make(
    "button",
    { type: "button", class: `chip ${stateLook(state)}`, "aria-pressed": "false", title: stateHint(state), "data-state": state },
    make("span", { class: "dot", "aria-hidden": "true" }),
    `${stateName(state)} `,
    make("strong", {}, count(number)),
  );
  chip.addEventListener("click", () => {
    if (!query.states.delete(state)) query.states.add(state);
    chip.setAttribute("aria-pressed", query.states.has(state));
    refresh();
  });
  byId("states").append(chip);
}

/** Fill a choice; one that leaves no choice is not shown. */
function choices(name, word, counts, least) {
  const field = byId(name);
  field.append(make("option", { value: "" }, `Any ${word}`));
  for (const [value, number] of counts) {
    field.append(make("option", { value }, `${shorten(value, 40)} (${count(number)})`));
  }
  field.parentElement.hidden = counts.length < least;
  field.addEventListener("change", () => {
    query[name] = field.value;
    refresh();
  });
}

function resolutions() {
  const counts = new Map();
  for (const row of rows) counts.set(row.resolution, (counts.get(row.resolution) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}

function listen() {
  const search = byId("search");
  search.addEventListener("input", () => {
    query.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    refresh();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    if (selected() === "pictures") sheet.focusCurrent();
    else byId("failure-list").querySelector("button")?.focus();
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("size").addEventListener("input", (event) => sheet.resize(Number(event.target.value)));
  byId("clear").addEventListener("click", clear);
  for (const view of VIEWS) byId(`tab-${view}`).addEventListener("click", () => select(view));
  document.querySelector(".tabs").addEventListener("keydown", turn);
  addEventListener("keydown", toSearch);
}

function clear() {
  query.words = [];
  query.states.clear();
  query.resolution = query.reason = "";
  for (const name of ["search", "resolution", "reason"]) byId(name).value = "";
  for (const chip of byId("states").children) chip.setAttribute("aria-pressed", "false");
  refresh();
  byId("search").focus();
}

/** Arrow keys go from tab to tab. */
function turn(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const view = VIEWS.at((VIEWS.indexOf(selected()) + step) % VIEWS.length);
  select(view);
  byId(`tab-${view}`).focus();
}

function toSearch(event) {
  const writing = event.target instanceof HTMLElement && event.target.matches("input, select");
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || byId("viewer").open) return;
  event.preventDefault();
  if (selected() === "plots") select("pictures");
  byId("search").focus();
  byId("search").select();
}

head();
choices("resolution", "resolution", resolutions(), 2);
choices("reason", "failure", Object.entries(about.reasons), 1);
listen();
select("pictures");
refresh();
