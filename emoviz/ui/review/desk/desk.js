// One artwork at a time, and what a person says of it: by keys or by pointer.
const desks = new WeakMap()
const POLL = 120 // milliseconds until a picture that is not ready is asked for again; then longer
const POLLS = 150

class Desk {
  constructor(root) {
    this.root = root
    this.talk = new Talk()
    this.early = [] // keys pressed while an act was on its way
    this.choice = new Map()
    this.polls = 0
    this.work = null
    this.note = make("textarea")
    this.note.rows = 2
    this.note.maxLength = 4000
    this.note.placeholder = "A note (M), if you like"
    this.note.setAttribute("aria-label", "Note")
    this.note.onkeydown = (event) => {
      const leaves = event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))
      if (leaves) this.note.blur()
      event.stopPropagation()
    }
    this.stage = make("div", "stage")
    this.panel = make("div", "panel")
    this.below = make("div", "below")
    this.state = make("p", "state")
    this.state.setAttribute("role", "status")
    root.replaceChildren(this.stage, this.panel, this.below)
    this.onkey = (event) => this.key(event)
    document.addEventListener("keydown", this.onkey)
    this.clock = setInterval(() => this.tick(), 500)
  }

  close() {
    document.removeEventListener("keydown", this.onkey)
    clearInterval(this.clock)
    clearTimeout(this.poll)
    this.talk.close()
  }

  receive(data) {
    this.header = this.talk.receive(data)
    const work = this.header.works[0] ?? null
    const place = work && `${work.id} ${Boolean(this.header.revealed)} ${this.header.visit}`
    if (place !== this.shown) this.turn(work, place)
    this.work = work // also of the same artwork more may be known by now
    this.draw()
    this.settle(work)
  }

  // Another artwork: nothing of the one before may cling to it.
  turn(work, place) {
    this.shown = place
    this.choice = new Map((work?.chosen ?? []).map(([name, strength]) => [name, strength]))
    this.note.value = work?.note ?? ""
    if (document.activeElement === this.note) this.note.blur()
    this.polls = 0
    this.since = performance.now()
    this.root.dataset.work = work ? work.id : ""
    this.root.dataset.shown = "no"
  }

  // Once the picture stands on the screen, keys that came too early are heard, one by one.
  async settle(work) {
    const image = this.stage.querySelector("img")
    const visit = this.shown
    if (image) await image.decode().catch(() => {})
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
    if (visit !== this.shown || work?.id !== this.work?.id) return
    this.root.dataset.shown = "yes"
    this.ask()
    while (this.early.length && !this.talk.pending) this.press(this.early.shift())
  }

  // Pictures are made while one looks; those that are missing are asked for until they are there.
  ask() {
    clearTimeout(this.poll)
    if (this.talk.pending || this.polls >= POLLS) return
    const missing = this.header.works.some(
      (work, place) =>
        (work.large && !work.error && !this.talk.pictures.has(work.large)) ||
        (place === 0 && work.wanting),
    )
    if (!missing) return
    this.poll = setTimeout(() => {
      if (this.talk.pending) return
      this.polls += 1
      this.talk.say()
      this.ask() // an answer that brings nothing new does not reach the component
    }, Math.min(POLL * 1.1 ** this.polls, 1500))
  }

  tick() {
    this.talk.nudge()
    const late = this.talk.pending && performance.now() - this.talk.since > 1000
    if (late) {
      this.early = [] // nobody decides on what cannot be seen
      this.state.textContent = "Not stored yet: waiting for the server. It is sent again by itself."
    }
    this.root.classList.toggle("late", Boolean(late))
  }

  get letters() {
    const known = new Map()
    if (!this.work) {
      if (this.header?.undo) known.set("u", () => this.undo())
      return known
    }
    if (this.header.revealed) known.set("enter", () => this.act({ does: "next" }))
    else {
      for (const emotion of this.header.emotions)
        known.set(emotion.key.toLowerCase(), () => this.choose(emotion.name))
      if (this.work.agree) known.set("a", () => this.decide("agree"))
      known.set("enter", () => this.choice.size && this.decide("choose"))
      known.set("n", () => this.decide("none"))
      known.set("s", () => this.decide("skip"))
      known.set("m", () => this.note.focus())
    }
    if (this.header.undo) known.set("u", () => this.undo())
    if (this.work.estimate) {
      known.set("h", () => this.toggle("heat"))
      known.set("w", () => this.act({ does: "why", work: this.work.id }))
    }
    if (this.work.estimate) known.set("l", () => this.toggle("near"))
    known.set("z", () => this.zoom())
    return known
  }

  key(event) {
    const target = event.composedPath()[0]
    const typing = target?.matches?.("input, textarea, select, [contenteditable=true]")
    const busy = document.querySelector("[role=dialog], dialog[open], [data-baseweb=popover]")
    if (typing || busy || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
    const onButton = target?.matches?.("button, a, summary, [role=button], [role=radio]")
    const name = event.key.toLowerCase()
    if (name === "enter" && onButton) return // it presses the button
    if (!this.letters.has(name)) return
    event.preventDefault()
    event.stopPropagation()
    this.press(name)
  }

  press(name) {
    if (this.talk.pending || this.root.dataset.shown !== "yes") {
      if (this.early.length < 20) this.early.push(name)
      return
    }
    this.letters.get(name)?.()
  }

  act(values) {
    if (this.talk.pending) return
    clearTimeout(this.poll)
    this.talk.act(values)
    this.root.classList.add("waiting")
  }

  decide(kind) {
    if (!this.work || (this.work.error && kind !== "skip")) return
    this.act({
      does: "decide",
      kind,
      work: this.work.id,
      feelings: kind === "choose" ? [...this.choice] : [],
      note: this.note.value.trim(),
      seconds: Math.round(performance.now() - this.since) / 1000,
      estimate: Boolean(this.work.estimate),
      heat: Boolean(this.talk.heat && this.work.heat && this.talk.pictures.has(this.work.heat)),
      near: Boolean(this.talk.near && this.work.near?.length),
    })
  }

  undo() {
    this.act({ does: "undo", decision: this.header.undo.id })
  }

  // Once: plain; again: strong, weak, not at all.
  choose(name) {
    const after = { 0: 2, 2: 3, 3: 1, 1: 0 }[this.choice.get(name) ?? 0]
    this.choice.delete(name)
    if (after) this.choice.set(name, after)
    this.draw()
  }

  toggle(what) {
    this.talk[what] = !this.talk[what]
    this.polls = 0
    this.draw()
    this.talk.say()
  }

  zoom(url, words) {
    const image = this.stage.querySelector("img")
    const source = url ?? image?.src
    if (!source) return
    const dialog = zoomed(source, words ?? this.work.title, () => {})
    this.root.append(dialog)
    dialog.showModal()
  }

  draw() {
    this.root.classList.toggle("waiting", Boolean(this.talk.pending))
    this.root.classList.toggle("empty", !this.work)
    if (!this.work) return this.drawEnd()
    this.drawStage()
    const active = document.activeElement
    if (active === this.note) return // nothing moves under a hand that writes
    const held = this.panel.contains(active) ? active.dataset.key : null
    this.panel.replaceChildren(
      this.heading(),
      this.told(),
      this.header.revealed ? this.bars() : this.choices(),
      this.acts(),
      ...(this.header.revealed ? [] : [this.note]),
      this.footer(),
    )
    this.below.replaceChildren(...this.neighbours(), this.more())
    if (held) this.panel.querySelector(`[data-key="${held}"]`)?.focus()
  }

  drawEnd() {
    this.stage.replaceChildren(make("p", "end", this.header.end))
    this.panel.replaceChildren(this.footer())
    this.below.replaceChildren()
  }

  drawStage() {
    const { work, talk } = this
    const heat = talk.heat && work.heat ? talk.pictures.get(work.heat) : null
    const url = heat ?? talk.pictures.get(work.large) ?? talk.pictures.get(work.small)
    const words = heat ? `What spoke for ${work.heat_of}` : work.title
    const kept = this.stage.querySelector("img")
    if (work.error || !url) {
      const words = work.error || "The picture is being read …"
      this.stage.replaceChildren(make("p", "end", words))
    } else if (kept?.src !== url) {
      const button = make("button", "picture")
      const image = talk.images.get(url) ?? make("img")
      button.type = "button"
      button.title = "Look closer (Z)"
      if (image.src !== url) image.src = url
      image.alt = words
      button.append(image)
      button.onclick = (event) => {
        event.currentTarget.blur()
        this.zoom()
      }
      this.stage.replaceChildren(button)
    }
    this.stage.dataset.note = heat
      ? `Orange: what spoke for ${work.heat_of} (Grad-CAM; the part that the model sees)`
      : talk.heat && work.estimate && !work.error
        ? work.no_heat || "The heat map is being made …"
        : ""
  }

  heading() {
    const head = make("header")
    head.append(make("h3", "", this.work.title))
    if (this.work.by) head.append(make("p", "by", this.work.by))
    return head
  }

  told() {
    const box = make("div", "told")
    if (this.header.revealed) box.append(make("p", "verdict", this.header.revealed))
    else if (this.work.hidden) box.append(make("p", "quiet", this.work.hidden))
    const estimate = make("div")
    estimate.innerHTML = this.work.estimate ?? "" // escaped in Python
    box.append(estimate)
    return box
  }

  choices() {
    const group = make("div", this.work.shares ? "chips barred" : "chips")
    group.setAttribute("role", "group")
    group.setAttribute("aria-label", "Emotions; press again for another strength")
    for (const emotion of this.header.emotions) {
      const strength = this.choice.get(emotion.name) ?? 0
      const share = this.work.shares?.[emotion.name]
      group.append(chip(emotion, strength, share, () => this.choose(emotion.name)))
    }
    const ask = "hich does it evoke in you? Again for ●●● or ●○○"
    const title = make("p", "ask", (this.work.agree ? "Or w" : "W") + ask)
    const box = make("div", "choices")
    if (this.work.agree)
      box.append(
        keyed("A", `Agree: ${this.work.agree}`, () => this.decide("agree"), "agree"),
      )
    box.append(title, group)
    return box
  }

  // After a blind decision: the same list, to compare; nothing can be pressed.
  bars() {
    const group = make("div", "chips barred")
    const own = new Map(this.header.decided)
    for (const emotion of this.work.shares ? this.header.emotions : []) {
      const shown = chip(emotion, own.get(emotion.name) ?? 0, this.work.shares[emotion.name])
      shown.disabled = true
      group.append(shown)
    }
    return group
  }

  acts() {
    const row = make("div", "acts")
    if (this.header.revealed) {
      row.append(keyed("Enter", "Next artwork", () => this.act({ does: "next" }), "save"))
      return row
    }
    const save = keyed("Enter", "Save", () => this.choice.size && this.decide("choose"), "save")
    save.disabled = !this.choice.size
    row.append(
      save,
      keyed("N", "None of these", () => this.decide("none")),
      keyed("S", "Skip", () => this.decide("skip")),
    )
    return row
  }

  footer() {
    const foot = make("footer")
    const { progress, undo, said } = this.header
    const bar = make("progress")
    bar.max = Math.max(progress.works, 1)
    bar.value = progress.decided + progress.skipped
    bar.setAttribute("aria-label", progress.words)
    foot.append(bar, make("p", "count", progress.words))
    if (undo) foot.append(keyed("U", undo.words, () => this.undo(), "undo"))
    if (!this.root.classList.contains("late")) this.state.textContent = said ?? ""
    foot.append(this.state)
    const tools = make("div", "tools")
    if (this.work?.estimate) {
      tools.append(
        keyed("H", this.talk.heat ? "Hide the heat map" : "Heat map", () => this.toggle("heat")),
        keyed("L", this.talk.near ? "Hide what looks alike" : "Alike", () => this.toggle("near")),
        keyed("W", "Why?", () => this.act({ does: "why", work: this.work.id })),
      )
    }
    if (this.work) tools.append(keyed("Z", "Zoom", () => this.zoom()))
    foot.prepend(tools)
    return foot
  }

  neighbours() {
    if (!this.talk.near || !this.work.estimate) return []
    const rows = this.work.near ?? []
    if (!rows.length) return [make("p", "quiet", this.work.no_near || "Looking for works that are alike …")]
    const picture = (name) => this.talk.pictures.get(name)
    return rows.map((row) =>
      strip(row.title, row.note, row.tiles, picture, (url, words) => this.zoom(url, words)),
    )
  }

  more() {
    const box = make("details", "more")
    box.open = this.moreOpen ?? false
    box.ontoggle = () => (this.moreOpen = box.open)
    box.append(make("summary", "", "What else is known of this work"), facts(this.work.facts))
    return box
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".ev-desk")
  let desk = desks.get(root)
  if (!desk) {
    desk = new Desk(root)
    desks.set(root, desk)
  }
  desk.talk.send = (said) => setStateValue("said", said)
  if (data && desk.data !== data) {
    desk.data = data
    desk.receive(data)
  }
  return () => {
    desk.close()
    desks.delete(root)
  }
}
