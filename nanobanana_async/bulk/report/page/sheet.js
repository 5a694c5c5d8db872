// The contact sheet: as many cards as rows, of which only those near the screen are in the page.

const GAP = 12;
const CAPTION = 46;
const AHEAD = 600; // pixels above and below the screen that are kept ready

class Sheet {
  #host;
  #open;
  #cards = [];
  #shown = new Map(); // index -> element
  #current = 0;
  #columns = 1;
  #side = 180;
  #wanted = 180;

  constructor(host, open) {
    this.#host = host;
    this.#open = open;
    host.addEventListener("keydown", (event) => this.#key(event));
    host.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.#open(this.#cards, Number(item.dataset.index));
    });
    host.addEventListener("focusin", (event) => {
      const item = event.target.closest("li");
      if (item) this.#choose(Number(item.dataset.index));
    });
    let due = false;
    const later = () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        this.#render();
      });
    };
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    new ResizeObserver(() => this.layout()).observe(host);
  }

  /** Show other cards, from the first one on. */
  show(cards) {
    this.#cards = cards;
    this.#current = 0;
    this.#empty();
    this.layout();
  }

  resize(side) {
    this.#wanted = side;
    this.layout();
  }

  /** Fit the columns to the width. */
  layout() {
    const width = this.#host.clientWidth;
    if (width === 0) return; // another view is open
    this.#columns = Math.max(2, Math.floor((width + GAP) / (this.#wanted + GAP)));
    this.#side = (width - GAP * (this.#columns - 1)) / this.#columns;
    const lines = Math.ceil(this.#cards.length / this.#columns);
    this.#host.style.height = `${Math.max(0, lines * this.#step - GAP)}px`;
    for (const [index, item] of this.#shown) this.#place(item, index);
    this.#render();
  }

  /** Bring a card into view and put the keyboard on it. */
  focus(index) {
    if (this.#cards.length === 0) return;
    index = Math.min(Math.max(index, 0), this.#cards.length - 1);
    this.#choose(index);
    this.#reveal(index);
    this.#render();
    this.#shown.get(index).firstChild.focus({ preventScroll: true });
  }

  focusCurrent() {
    this.focus(this.#current);
  }

  get #step() {
    return this.#side + CAPTION + GAP;
  }

  #key(event) {
    const jump = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      PageUp: -this.#columns * this.#linesOnScreen(),
      PageDown: this.#columns * this.#linesOnScreen(),
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (jump === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.focus(this.#current + jump);
  }

  #linesOnScreen() {
    return Math.max(1, Math.floor(innerHeight / this.#step) - 1);
  }

  /** Exactly one card is reached by Tab: the one that was last in use. */
  #choose(index) {
    const earlier = this.#shown.get(this.#current);
    if (earlier) earlier.firstChild.tabIndex = -1;
    this.#current = index;
    const now = this.#shown.get(index);
    if (now) now.firstChild.tabIndex = 0;
  }

  #reveal(index) {
    const top = this.#host.getBoundingClientRect().top + this.#line(index) * this.#step;
    const covered = byId("tools").getBoundingClientRect().bottom;
    const ceiling = Math.max(0, Math.min(covered, innerHeight / 2)) + GAP;
    const floor = innerHeight - GAP;
    const bottom = top + this.#step - GAP;
    if (top < ceiling) scrollBy(0, top - ceiling);
    else if (bottom > floor) scrollBy(0, Math.min(bottom - floor, top - ceiling));
  }

  #line(index) {
    return Math.floor(index / this.#columns);
  }

  #empty() {
    for (const item of this.#shown.values()) item.remove();
    this.#shown.clear();
  }

  #render() {
    if (this.#host.clientWidth === 0) return;
    const top = -this.#host.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((top - AHEAD) / this.#step)) * this.#columns;
    const lines = Math.ceil((innerHeight + 2 * AHEAD) / this.#step) + 1;
    const end = Math.min(this.#cards.length, first + lines * this.#columns);
    for (const [index, item] of this.#shown) {
      const near = index >= first && index < end;
      // The card in use stays, or the keyboard would lose its place when one scrolls away.
      if (near || index === this.#current) continue;
      item.remove();
      this.#shown.delete(index);
    }
    for (let index = first; index < end; index++) this.#add(index);
    if (this.#cards.length) this.#add(this.#current);
  }

  #add(index) {
    if (this.#shown.has(index)) return;
    const item = this.#card(index);
    this.#place(item, index);
    // In the order of the rows also for those who hear the page.
    let after = null;
    for (const other of this.#host.children) {
      if (Number(other.dataset.index) > index) {
        after = other;
        break;
      }
    }
    this.#host.insertBefore(item, after);
    this.#shown.set(index, item);
  }

  #place(item, index) {
    const x = (index % this.#columns) * (this.#side + GAP);
    const y = this.#line(index) * this.#step;
    item.style.width = `${this.#side}px`;
    item.style.transform = `translate(${x}px, ${y}px)`;
  }

  #card(index) {
    const { row, picture, index: nth } = this.#cards[index];
    const many = row.pictures?.length > 1 ? ` · ${nth + 1} of ${row.pictures.length}` : "";
    const title = make("span", { class: "key" }, `${row.key}${many}`);
    const button = make(
      "button",
      { type: "button", class: "card", tabindex: index === this.#current ? 0 : -1 },
      frame(row, picture),
      make("span", { class: "caption" }, title, make("span", { class: "prompt" }, shorten(row.prompt, 140))),
    );
    return make(
      "li",
      { "data-index": index, "aria-setsize": this.#cards.length, "aria-posinset": index + 1 },
      button,
    );
  }
}

/** The picture's place on a card: its thumbnail, or why there is none. */
function frame(row, picture) {
  if (picture?.thumbnail) {
    const image = make("img", { alt: "", loading: "lazy", decoding: "async" });
    const holder = make("span", { class: "frame" }, image);
    image.addEventListener("error", () => holder.replaceWith(placeholder("open", "No thumbnail", "")));
    image.src = picture.thumbnail;
    if (row.state !== "succeeded") holder.append(badge(row.state));
    return holder;
  }
  if (picture?.fault && row.state === "succeeded") return placeholder("bad", faultName[picture.fault], "");
  if (row.state === "succeeded") return placeholder("good", "Succeeded", "No picture in this folder");
  return placeholder(stateLook(row.state), stateName(row.state), row.error?.code ?? row.error?.type ?? "");
}

function placeholder(look, title, text) {
  return make(
    "span",
    { class: `frame none ${look}` },
    make("strong", {}, title),
    text ? make("span", {}, shorten(text, 60)) : null,
  );
}

function badge(state) {
  return make("span", { class: `badge ${stateLook(state)}`, title: stateHint(state) }, stateName(state));
}
