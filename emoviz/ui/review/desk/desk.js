// One artwork at a time, and what a person says of it: by keys or by pointer.
//
// The browser holds the next works and turns to the next one as soon as an act is made; `talk.js`
// brings the acts to the server, in order, while one looks at the next artwork.
const POLL = 120 // milliseconds until a picture that is not ready is asked for again; then longer
const POLLS = 150
const LATE = 1000 // milliseconds after which a person is told that something waits
const MOST_EARLY = 1000 // a note may be among them
const BACK = ["backspace", "arrowleft"]
const ON = ["delete", "arrowright"]
const WRITING = ["enter", "escape", ...BACK, ...ON] // beside letters, in a note that is typed ahead
const LONGEST = 100000 // letters of a note that the store takes
const AWAY = 15000 // that a desk waits for another element, where Streamlit took its own away
const READING = 4000 // milliseconds that a refusal stays, whatever is done next
const CONTROLS = "button, a, summary, input, [role=button], [role=radio], [role=switch], [role=tab]"
const DIALOGS = "dialog[open], [data-testid=stDialog]"
const TEXT_FIELDS = /^(text|search|number|email|password|url|tel|date|time)$/

class Desk {
  constructor() {
    this.talk = new Talk()
    this.keys = new Keys()
    this.known = new Map() // id -> all that is known of a work
    this.drafts = new Map() // id -> what was begun on it
    this.early = [] // keys, and acts by pointer after them, before their artwork stood on the screen
    this.isWriting = false // the early keys that are heard are a note
    this.current = null // id of the work on the screen
    this.awaited = null // id of a work that was decided blind, whose estimate comes
    this.over = false // the last of a queue of works that stay in it was passed
    this.goes = 0
    this.stepping = 0 // a step that waits until the server says what lies beside this work
    this.polls = 0
    this.byPointer = true // how the control that has the focus was reached
    this.focused = null // what of the desk has the focus
    this.isAway = false // its element was taken away
    this.build()
    this.heard = {
      keydown: (event) => this.key(event),
      pointerdown: () => (this.byPointer = true),
      focusin: ({ target }) => {
        this.focused = this.root.contains(target) ? target : null
        if (this.isAway && !this.focused) this.early = [] // a person went elsewhere
      },
      // What goes with its element has no focus either, and gets it back with the next one.
      focusout: ({ target }) =>
        setTimeout(() => {
          if (this.focused === target && target.isConnected && document.activeElement !== target) this.focused = null
        }),
    }
    for (const [kind, hear] of Object.entries(this.heard)) document.addEventListener(kind, hear, true)
    this.clock = setInterval(() => this.tick(), 500)
  }

  // The frame never changes; what is drawn into it keeps its place.
  build() {
    this.stage = make("div", "stage")
    this.panel = make("div", "panel")
    this.head = make("header")
    this.told = make("div", "told")
    this.told.tabIndex = 0
    this.told.setAttribute("role", "region")
    this.told.setAttribute("aria-label", tr("The model's estimate"))
    this.choices = make("div", "choices")
    this.acts = make("div", "acts")
    this.note = make("textarea")
    this.note.rows = 1
    this.note.dir = "auto" // as it is written, from the right too
    this.note.setAttribute("aria-label", tr("Note"))
    this.note.oninput = () => {
      this.draft.note = this.note.value
      this.draft.isTouched = true
      this.drawState()
    }
    this.note.onkeydown = (event) => {
      const leaves = event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))
      if (leaves) this.leaveNote()
      event.stopPropagation()
    }
    this.panel.append(this.head, this.told, this.choices, this.acts, this.note)
    this.bar = make("div", "bar")
    this.progress = make("progress")
    this.count = make("p", "count")
    this.undoPlace = make("div", "undoing")
    this.state = make("p", "state")
    this.state.setAttribute("role", "status")
    this.tools = make("div", "tools")
    this.bar.append(this.progress, this.count, this.undoPlace, this.state, this.tools)
    this.film = this.strip()
    this.below = make("div", "below")
  }

  // Into an element of the page; where Streamlit takes it away for another, all that was begun goes along.
  enter(root) {
    if (this.root === root && !this.isAway) return
    clearTimeout(this.leaves)
    this.isAway = false
    this.root = root
    this.place = location.pathname
    root.tabIndex = -1
    root.dataset.work = this.current ?? ""
    root.dataset.shown = "no"
    root.setAttribute("aria-label", tr("Review"))
    root.replaceChildren(this.stage, this.panel, this.bar, this.film.element, this.below)
    this.focused?.focus({ preventScroll: true })
    if (!this.header) return
    this.draw()
    this.settle()
  }

  // Keys of the moment without an element wait.
  leaveElement() {
    for (const dialog of this.root.querySelectorAll("dialog[open]")) dialog.close()
    if (location.pathname !== this.place) return this.close()
    this.isAway = true
    this.root.dataset.shown = "no"
    this.leaves = setTimeout(() => this.close(), AWAY)
  }

  // Another language was chosen: what stands in the frame itself.
  translate() {
    this.spoken = this.header.language
    this.told.setAttribute("aria-label", tr("The model's estimate"))
    this.note.setAttribute("aria-label", tr("Note"))
    this.root.setAttribute("aria-label", tr("Review"))
    const film = this.strip()
    this.film.element.replaceWith(film.element)
    this.film = film
  }

  strip() {
    return filmstrip(
      (frame) => this.soon(() => this.goTo(frame)),
      (step) => this.soon(() => this.step(step)),
      (number) => this.soon(() => this.jump(number)),
    )
  }

  // What an emotion is called on the screen.
  label(name) {
    return this.header.emotions.find((emotion) => emotion.name === name)?.label ?? name
  }

  close() {
    for (const [kind, hear] of Object.entries(this.heard)) document.removeEventListener(kind, hear, true)
    window.emovizDesk = null
    clearInterval(this.clock)
    clearTimeout(this.poll)
    this.talk.close()
  }

  get work() {
    return this.current === null ? null : (this.known.get(this.current) ?? null)
  }

  get draft() {
    const { current } = this
    if (!this.drafts.has(current)) {
      const note = this.pending().get(current)?.note ?? this.work?.note ?? ""
      this.drafts.set(current, { choice: new Map(), note })
    }
    return this.drafts.get(current)
  }

  get choice() {
    return this.draft.choice
  }

  // Of the note; as Python counts them, where that matters.
  get letters() {
    const { note } = this.draft
    return note.length > LONGEST ? [...note.trim()].length : note.length
  }

  get revealed() {
    const { revealed } = this.header
    return this.awaited !== null && revealed?.work === this.awaited ? revealed : null
  }

  // ------------------------------------------------------------------ what comes from the server

  receive(data) {
    const wasGoing = this.isGoing
    this.header = this.talk.receive(data)
    const { header } = this
    speak(header.language, header.messages)
    if (this.spoken !== header.language) this.translate()
    const isAnother = header.session !== this.session
    const turned = isAnother || header.queue !== this.talk.queue
    this.session = header.session
    this.talk.queue = header.queue
    if (isAnother) this.drafts.clear() // nobody sees what somebody else began
    if (turned) this.known.clear()
    for (const row of header.works) this.learn(row)
    const before = this.current
    const isRefused = wasGoing && !this.isGoing && header.go[0] === this.goes
    // What was pressed for a work that does not come is for no other.
    if (turned || isRefused || (before !== null && header.gone === before)) this.early = []
    if (turned) this.begin(before !== null)
    else if (header.go[0] > this.goes) this.turn(header.go[1])
    else if (before !== null && header.gone === before) {
      this.talk.refuse(tr("This artwork was taken out of the collection meanwhile."))
      this.drafts.delete(before)
      this.turn(this.free(null))
    } else if (before === null && !this.over) {
      const { at } = this.talk
      this.follow(at)
      if (at !== null && this.current === at) this.early = [] // refused: they were for what comes after it
    }
    this.goes = header.go[0]
    this.draw()
    const step = header.first === this.current ? this.stepping : 0
    if (step) {
      this.stepping = 0
      this.step(step)
    }
    if ((this.root.dataset.shown !== "yes" || this.early.length) && !this.isLeaving) this.settle()
    else this.ask()
  }

  // What the server says of a work; a note that nobody has touched here follows the stored one.
  learn(row) {
    this.known.set(row.id, row)
    const draft = this.drafts.get(row.id)
    if (!draft || draft.isTouched || this.pending().has(row.id)) return
    draft.note = row.note
    if (row.id === this.current) this.note.value = row.note
  }

  // The first work of another queue, or of this page.
  begin(isLater) {
    const { header } = this
    this.over = this.named = false
    this.current = undefined // even where the same work comes, it comes anew
    this.talk.at = null
    this.awaited = header.revealed?.work === header.first ? header.first : null
    const decided = this.pending().has(header.first)
    this.turn(decided && this.awaited === null ? this.free(null) : header.first)
    if (isLater && this.byPointer && !this.isTyping(document.activeElement)) this.focus()
  }

  // Works with a decision that is on its way -> that act.
  pending() {
    const found = new Map()
    for (const act of this.talk.acts) {
      if (act.does === "decide") found.set(act.work, act)
      if (act.does === "undo") found.delete(act.work)
    }
    return found
  }

  // The next work to decide on after one; null where none is known yet, or none is left.
  free(from) {
    const { ahead, ahead_at_most: most, first, open, strip } = this.header
    const place = ahead.indexOf(from)
    if (!open) return ahead[place + 1] ?? null
    const pending = this.pending()
    const isFree = (id) => id !== from && !pending.has(id)
    const any = ahead.find(isFree) ?? this.later(ahead[0] ?? null) // refused: back to it
    if (from === null || from === first) return any
    // The server has not heard yet that one stood there; what it tells begins elsewhere.
    if (place >= 0) {
      const isAll = ahead.length < most
      return ahead.slice(place + 1).find(isFree) ?? (isAll ? any : this.later(any))
    }
    const here = strip.findIndex(({ id }) => id === from)
    const next = here >= 0 && strip.slice(here + 1).find(({ id, own }) => !own && isFree(id))
    return next ? this.meet(next) : this.later(any)
  }

  // While acts are on their way, their answer says what follows.
  later(id) {
    return this.talk.acts.length ? null : id
  }

  // ---------------------------------------------------------------------- which work is in sight

  turn(id) {
    if (id === this.current && this.root.dataset.shown) return
    this.current = id
    this.stepping = 0
    if (this.awaited !== id) this.awaited = null
    this.talk.at = id ?? this.talk.at // what comes next comes after it
    this.polls = 0
    this.since = performance.now()
    this.root.dataset.work = id ?? ""
    this.root.dataset.shown = "no"
    if (document.activeElement === this.note) this.focus()
    this.note.value = id === null ? "" : this.draft.note
    this.told.scrollTop = 0
  }

  // A work of the filmstrip, of which no more may be known yet.
  meet({ id, title, number, small }) {
    if (!this.known.has(id))
      this.known.set(id, { id, title, number, small, large: "", by: "", due: true, is_partial: true })
    return id
  }

  // Somewhere else, without deciding: nothing that was begun is lost.
  goTo(frame) {
    const id = this.meet(frame)
    this.over = false
    this.named = true
    this.awaited = null
    this.turn(id)
    this.draw()
    this.settle()
    this.talk.say()
  }

  step(by) {
    const { strip, first } = this.header
    const place = strip.findIndex(({ id }) => id === this.current)
    const frame = strip[place + by]
    if (place >= 0 && frame) this.goTo(frame)
    else if (this.current !== null && first !== null && first !== this.current) {
      this.stepping = by
      this.talk.say()
      this.leave()
    }
  }

  jump(number) {
    const frame = this.header.strip.find((item) => item.number === number)
    if (frame) return this.goTo(frame)
    this.say({ does: "go", number })
    this.leave()
  }

  // One is on the way to another work, which the server has to name: keys wait for that one.
  leave() {
    this.root.dataset.shown = "no"
    this.polls = 0
    this.ask()
  }

  get isLeaving() {
    return this.stepping !== 0 || this.isGoing
  }

  get isGoing() {
    return this.talk.acts.some(({ does }) => does === "go")
  }

  forward() {
    this.named = false
    this.awaited = null
    this.follow(this.current)
    this.draw()
    this.settle()
  }

  // To what comes after a work; a queue of works that stay in it ends with its last.
  follow(from) {
    const next = this.free(from)
    const { open, ahead, ahead_at_most: most } = this.header
    this.over = next === null && from !== null && !open && ahead.length < most
    this.turn(next)
  }

  // Who types elsewhere by now, while the note's key waited, keeps the focus.
  writeNote() {
    this.isWriting = true
    if (!this.isTyping(document.activeElement)) this.note.focus()
  }

  leaveNote() {
    this.isWriting = false
    if (document.activeElement === this.note) this.focus()
  }

  // Once the picture stands on the screen, keys that came too early are heard, one by one.
  async settle() {
    const { current } = this
    const image = this.stage.querySelector("img")
    if (image) await image.decode().catch(() => {})
    await painted()
    if (current !== this.current || this.isLeaving || this.isAway) return
    this.root.dataset.shown = "yes"
    this.ask()
    await null // whoever watches hears that it stood there
    while (this.early.length && this.root.dataset.shown === "yes" && !this.isComing && !document.querySelector(DIALOGS))
      this.hear(this.early.shift())
    this.isWriting = false
    this.drawState()
  }

  get waits() {
    return this.early.length > 0 || Boolean(this.header && this.isComing)
  }

  // No artwork is on the screen, and the server will name one.
  get isComing() {
    return !this.work && !this.over && this.talk.acts.length > 0
  }

  // By pointer, or by a number: after the keys that wait.
  soon(act) {
    if (this.early.length && (this.work || this.isComing)) this.hold({ act })
    else act()
  }

  // A button, the same.
  keyed(letter, words, act, ...looks) {
    return keyed(letter, words, () => this.soon(act), ...looks)
  }

  hold(early) {
    if (this.early.length < MOST_EARLY) this.early.push(early)
    this.drawState()
  }

  // A key that came before its artwork stood there; what follows the note's key is the note,
  // wherever a person is by now.
  hear({ name, key, act, isNote }) {
    if (act) {
      this.isWriting = false
      act()
    } else if (!this.isWriting && !isNote) this.press(name)
    else if (name === "escape") this.leaveNote()
    else if (name === "all") this.note.select()
    else if (key.length === 1 || WRITING.includes(name)) {
      let { selectionStart: start, selectionEnd: end, value } = this.note
      if (start === end && BACK.includes(name)) start -= [...value.slice(0, start)].at(-1)?.length ?? 0
      else if (start === end && ON.includes(name)) end += [...value.slice(end)][0]?.length ?? 0
      if (name.startsWith("arrow")) return this.note.setSelectionRange(...(BACK.includes(name) ? [start, start] : [end, end]))
      this.note.setRangeText(name === "enter" ? "\n" : key.length === 1 ? key : "", start, end, "end")
      this.note.dispatchEvent(new Event("input"))
    }
  }

  // Pictures are made while one looks; those that are missing are asked for until they are there.
  ask() {
    clearTimeout(this.poll)
    if (this.polls >= POLLS) return
    const missing = this.header.works.some(
      (work) => work.due && !this.talk.pictures.has(work.large),
    )
    if (!missing && !this.work?.wanting && !this.work?.is_partial && !this.stepping) return
    this.poll = setTimeout(() => {
      this.polls += 1
      if (!this.talk.sent.size) this.talk.say()
      this.ask() // an answer that brings nothing new does not reach the component
    }, Math.min(POLL * 1.1 ** this.polls, 1500))
  }

  tick() {
    this.talk.nudge()
    if (this.early.length && this.root.dataset.shown === "yes") this.settle() // a dialog was closed
    const late = this.talk.acts.length > 0 && performance.now() - this.talk.since > LATE
    if (late !== this.root.classList.contains("late")) {
      this.root.classList.toggle("late", late)
      this.drawState()
    }
  }

  // ------------------------------------------------------------------------------------- keys

  get doings() {
    const known = new Map()
    if (!this.header) return known
    const { keys } = this
    const add = (name, act) => known.set(keys.of(name), act)
    if (this.work && this.awaited !== null) add("save", () => this.forward())
    else if (this.work) {
      for (const emotion of this.header.emotions)
        known.set(keys.of(`emotion ${emotion.name}`, emotion), () => this.choose(emotion.name))
      if (this.work.agree && !this.work.error) add("agree", () => this.decide("agree"))
      add("save", () => this.choice.size && this.decide("choose"))
      add("none", () => this.decide("none"))
      add("skip", () => this.decide("skip"))
      add("note", () => this.writeNote())
    }
    add("undo", () => this.undo())
    add("previous", () => this.step(-1))
    add("next", () => this.step(1))
    if (this.work?.estimate) {
      add("heat", () => this.toggle("heat"))
      add("near", () => this.toggle("near"))
      add("why", () => this.why())
    }
    if (this.work) add("zoom", () => this.zoom())
    known.delete("")
    return known
  }

  isTyping(target) {
    if (!target?.matches) return false
    if (target.matches("textarea, [contenteditable=true]")) return true
    if (!target.matches("input") || !TEXT_FIELDS.test(target.type)) return false
    // A picker that was used with the pointer and is closed again: nobody types into it.
    const isPicker = target.matches("[role=combobox]")
    return !(isPicker && this.byPointer && target.getAttribute("aria-expanded") !== "true")
  }

  key(event) {
    if (event.key === "Tab") this.byPointer = false
    if (this.isAway && location.pathname !== this.place) return
    const place = event.composedPath()[0]
    // Who is at something else meanwhile: these keys are not ours.
    if (this.isAway && !this.root.contains(place) && (this.isTyping(place) || place.matches(CONTROLS))) return
    const noteKey = this.keys.of("note")
    const last = this.early.findLast(({ name, act }) => act || name === "escape" || name === noteKey)
    let target = this.isAway ? (this.focused ?? document.body) : place
    if (target === this.note && last?.name === "escape") target = this.root // it is left as soon as that is heard
    const isNote = target === this.note && (this.isAway || this.early.length > 0)
    const isNoted = isNote || last?.name === noteKey
    const name = this.keyOf(event)
    const isArrow = name.startsWith("arrow")
    const isGraph = event.getModifierState("AltGraph") // a letter, which no act has
    if (isNoted && !isGraph && (name === "a" || name === "enter") && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      event.stopPropagation()
      return this.hold({ name: name === "a" ? "all" : "escape", isNote })
    }
    if (isGraph ? !isNoted : event.ctrlKey || event.metaKey || event.altKey) return
    if (event.repeat && !isArrow) return
    if (document.querySelector(DIALOGS) || (this.isTyping(target) && !isNote)) return
    const isHere = this.root.contains(target)
    if (!this.byPointer && (name === "enter" || name === " ") && target?.matches?.(CONTROLS)) return
    if (isArrow && !this.byPointer && !isHere && target !== document.body) return
    if (isArrow && target?.matches?.("[role=slider], [role=radio], [role=tab], [role=option]")) return
    const isWritten = isNoted && (event.key.length === 1 || WRITING.includes(name))
    // Where keys wait, or nothing stands there yet, the keys of all acts wait: none is cut in two.
    const isKnown = this.doings.has(name) || (this.waits && this.keys.isAct(name, this.header.emotions))
    if (name === "tab" || (!isWritten && !isKnown)) return // Tab is never held
    event.preventDefault()
    event.stopPropagation()
    // Otherwise the next Enter would press what has the focus, and not save what was chosen here.
    const isLost = target !== document.body && document.activeElement !== this.note
    if (isLost && (this.byPointer ? !isHere : !isArrow)) this.focus()
    this.press(name, event.key, isNote)
  }

  // On keyboards whose upper row gives letters first (Lithuanian, French), its digits all the same.
  keyOf(event) {
    const name = event.key.toLowerCase()
    const digit = /^Digit(\d)$/.exec(event.code ?? "")
    return digit && !this.doings.has(name) ? digit[1] : name
  }

  press(name, key, isNote) {
    if (this.root.dataset.shown !== "yes" || (key && this.waits)) this.hold({ name, key, isNote })
    else {
      this.doings.get(name)?.()
      if (key) this.isWriting = false // the browser writes what is typed now
    }
  }

  focus() {
    this.root.focus({ preventScroll: true })
  }

  // ------------------------------------------------------------------------------------- acts

  say(values) {
    const { reviewer, queue } = this.header
    const now = performance.now()
    this.talk.refusals = this.talk.refusals.filter(({ time }) => now - time < READING)
    this.talk.act({ ...values, reviewer, queue })
  }

  decide(kind) {
    const { work, draft, talk } = this
    if (!work || this.awaited !== null || (work.error && kind !== "skip") || (kind === "agree" && !work.agree)) return
    if (this.letters > LONGEST) {
      this.note.focus() // what is said beside it says why
      return
    }
    const feelings = kind === "choose" ? [...draft.choice] : []
    const isUnknown = work.is_partial && !draft.isTouched // what was noted before: it stays
    const note = isUnknown ? undefined : draft.note.trim()
    this.drafts.delete(work.id)
    work.note = note // not every answer speaks of it again
    const act = {
      does: "decide",
      kind,
      work: work.id,
      feelings,
      note,
      named: Boolean(this.named),
      seconds: Math.round(performance.now() - this.since) / 1000,
      estimate: Boolean(work.estimate),
      heat: Boolean(talk.heat && work.heat && talk.pictures.has(work.heat)),
      near: Boolean(talk.near && work.near?.length),
    }
    this.say({ ...act, words: spoken(act, work, (name) => this.label(name)) })
    if (work.is_hidden && kind !== "skip") {
      this.awaited = work.id
      this.draw()
    } else this.forward()
  }

  // What could be taken back now: decisions that are stored, and those on their way.
  undoable() {
    const stack = [...this.header.undo].reverse()
    for (const act of this.talk.acts) {
      if (act.does === "undo") stack.pop()
      if (act.does !== "decide") continue
      const place = stack.findIndex(({ work }) => work === act.work)
      if (place >= 0) stack.splice(place, 1)
      stack.push({ work: act.work, note: act.note, words: act.words })
    }
    return stack
  }

  undo() {
    const last = this.undoable().pop()
    if (!last || !this.known.has(last.work)) return
    this.say({ does: "undo", work: last.work })
    this.over = false
    this.named = true
    this.awaited = null
    this.drafts.set(last.work, { choice: new Map(), note: last.note ?? "", isTouched: true })
    this.turn(last.work)
    this.note.value = this.draft.note
    this.draw()
    this.settle()
  }

  why() {
    if (this.work?.estimate) this.say({ does: "why", work: this.work.id })
  }

  // Once: plain; again: strong, weak, not at all. With one key it decides.
  choose(name) {
    if (!this.work || this.awaited !== null) return
    if (this.keys.oneKey) {
      this.choice.clear()
      this.choice.set(name, 2)
      this.decide("choose")
      return
    }
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
    this.ask()
  }

  zoom(url, words) {
    const source = url ?? this.stage.querySelector("img")?.src
    if (!source) return
    this.talk.deep = url ? null : this.work.id // all the pixels that the artwork has
    this.polls = 0
    const zoom = zoomed(source, words ?? this.work.title, () => {
      this.talk.deep = this.closer = null
      this.focus()
    })
    this.closer = zoom
    this.root.append(zoom.dialog)
    zoom.show()
    if (!url) {
      this.talk.say()
      this.ask()
    }
  }

  drawCloser() {
    const { work, talk } = this
    const url = work && talk.deep === work.id ? talk.pictures.get(work.deep) : null
    if (this.closer && url) this.closer.better(url, work.pixels)
  }

  setKeys() {
    const dialog = keysDialog(this.keys, this.header.emotions, () => this.draw())
    this.root.append(dialog)
    dialog.showModal()
  }

  // ----------------------------------------------------------------------------------- drawing

  draw() {
    const active = document.activeElement
    const held = this.root.contains(active) ? active.dataset.name : null
    this.root.classList.toggle("empty", !this.work)
    this.drawStage()
    this.drawCloser()
    this.drawPanel()
    this.drawBar()
    this.film.draw(this.header, this.current, this.pending(), this.talk.pictures)
    this.below.replaceChildren(...(this.work ? [...this.neighbours(), this.more()] : []))
    if (held && document.activeElement !== active)
      this.root.querySelector(`[data-name="${CSS.escape(held)}"]`)?.focus({ preventScroll: true })
  }

  drawStage() {
    const { work, talk } = this
    if (!work) {
      const waits = this.isComing
      const words = waits ? tr("The next artwork is on its way …") : this.header.end
      const end = make("div", "end")
      end.append(make("p", "", words))
      if (!waits) end.append(this.keyed("", tr("To the overview"), () => this.say({ does: "overview" }), "save"))
      this.stage.replaceChildren(end)
      this.stage.dataset.note = ""
      return
    }
    const heat = talk.heat && work.heat ? talk.pictures.get(work.heat) : null
    const url = heat ?? talk.pictures.get(work.large) ?? talk.pictures.get(work.small)
    const words = heat ? tr("What spoke for {emotion}", { emotion: work.heat_of }) : work.title
    const kept = this.stage.querySelector("img")
    if (work.error || !url) {
      this.stage.replaceChildren(make("p", "end", work.error || tr("The picture is being read …")))
    } else if (kept?.src !== url || kept.alt !== words) {
      const button = make("button", "picture")
      const image = talk.images.get(url) ?? make("img")
      button.type = "button"
      button.dataset.name = "picture"
      button.title = tr("Look closer ({key})", { key: keyWords(this.keys.of("zoom")) })
      if (image.src !== url) image.src = url
      image.alt = words
      button.append(image)
      button.onclick = () => this.zoom()
      this.stage.replaceChildren(button)
    }
    this.stage.dataset.note = heat
      ? tr("Orange: what spoke for {emotion} (the part that the model sees)", { emotion: work.heat_of })
      : talk.heat && work.estimate && !work.error
        ? work.no_heat || tr("The heat map is being made …")
        : ""
  }

  drawPanel() {
    const { work, revealed } = this
    const waits = this.awaited !== null
    this.panel.hidden = !work
    if (!work) return
    const title = make("h2", "", work.title)
    title.title = work.title
    this.head.replaceChildren(title, make("p", "by", work.by || "\u00a0"))
    const said = []
    if (waits) said.push(make("p", "verdict", revealed?.words ?? tr("Decided. The model's estimate comes …")))
    else if (work.own && !this.pending().has(work.id)) said.push(make("p", "verdict", tr("You said: {decision}.", { decision: work.own })))
    if (!waits && work.hidden) said.push(make("p", "quiet", work.hidden))
    const estimate = make("div")
    estimate.innerHTML = work.estimate ?? "" // escaped in Python
    this.told.replaceChildren(...said, estimate)
    this.choices.replaceChildren(...(waits ? this.compared() : this.choosing()))
    this.acts.replaceChildren(...this.deeds())
    this.note.hidden = waits
    this.note.placeholder = tr("A note ({key}), if you like", { key: keyWords(this.keys.of("note")) })
  }

  choosing() {
    const { work, keys } = this
    const group = make("div", work.shares ? "chips barred" : "chips")
    const longest = Math.max(...this.header.emotions.map(({ label }) => label.length))
    group.style.setProperty("--names", `${Math.min(Math.max(6.2, 0.55 * longest), 9.5)}em`)
    group.setAttribute("role", "group")
    group.setAttribute("aria-label", tr("Emotions; press again for another strength"))
    for (const emotion of this.header.emotions) {
      const key = keyWords(keys.of(`emotion ${emotion.name}`, emotion))
      const strength = this.choice.get(emotion.name) ?? 0
      group.append(
        chip({ ...emotion, key }, strength, work.shares?.[emotion.name], () => this.soon(() => this.choose(emotion.name))),
      )
    }
    const ask = work.agree ? tr("Or which does it evoke?") : tr("Which does it evoke?")
    const how = keys.oneKey ? tr("One key decides.") : tr("Again: ●●●, ●○○")
    const title = make("p", "ask", `${ask} ${how}`)
    const agree = work.agree && !work.error
      ? [this.keyed(keyWords(keys.of("agree")), tr("Agree: {emotion}", { emotion: this.label(work.agree) }), () => this.decide("agree"), "agree")]
      : []
    return [...agree, title, group]
  }

  // After a blind decision: the same list, to compare; nothing can be pressed.
  compared() {
    const group = make("div", "chips barred")
    const own = new Map(this.revealed?.decided ?? [])
    for (const emotion of this.work.shares ? this.header.emotions : []) {
      const shown = chip(emotion, own.get(emotion.name) ?? 0, this.work.shares[emotion.name])
      shown.disabled = true
      group.append(shown)
    }
    return [group]
  }

  deeds() {
    const key = (name) => keyWords(this.keys.of(name))
    if (this.awaited !== null)
      return [this.keyed(key("save"), tr("Next artwork"), () => this.awaited !== null && this.forward(), "save")]
    const save = this.keyed(key("save"), tr("Save"), () => this.choice.size && this.decide("choose"), "save")
    const none = this.keyed(key("none"), tr("None of these"), () => this.decide("none"))
    none.disabled = Boolean(this.work.error) // nobody decides on what cannot be seen
    save.disabled = none.disabled || !this.choice.size
    return [save, none, this.keyed(key("skip"), tr("Skip"), () => this.decide("skip"))]
  }

  drawBar() {
    const { progress } = this.header
    const key = (name) => keyWords(this.keys.of(name))
    this.progress.max = Math.max(progress.works, 1)
    this.progress.value = progress.decided + progress.skipped
    this.progress.setAttribute("aria-label", tr("Progress"))
    this.count.textContent = progress.words
    const last = this.undoable().at(-1)
    const words = last ? tr("Undo: {decision}", { decision: last.words }) : tr("Undo")
    const undo = this.keyed(key("undo"), words, () => this.undo(), "undo")
    undo.disabled = !last
    if (last) undo.title = words
    this.undoPlace.replaceChildren(undo)
    const { talk, work } = this
    const tools = [
      this.keyed(key("heat"), tr("Heat map"), () => this.toggle("heat"), "", talk.heat),
      this.keyed(key("near"), tr("Alike"), () => this.toggle("near"), "", talk.near),
      this.keyed(key("why"), tr("Why?"), () => this.why()),
      this.keyed(key("zoom"), tr("Zoom"), () => this.zoom()),
    ]
    for (const tool of tools.slice(0, 3)) tool.disabled = !work?.estimate
    tools[3].disabled = !work
    const keys = make("button", "", tr("Keys …"))
    keys.type = "button"
    keys.dataset.name = "keys"
    keys.onclick = () => this.setKeys()
    this.tools.replaceChildren(...tools, keys)
    this.drawState()
  }

  // Where the acts are: stored, on their way, or refused, in a place of its own.
  drawState() {
    const acts = this.talk.acts.filter(({ does }) => does === "decide" || does === "undo").length
    const keys = this.early.length
    const waiting = acts + keys
    const late = this.root.classList.contains("late")
    const last = this.header.undo[0]
    const words = waiting
      ? [
          acts && late && tr("Not stored yet: {count}. Waiting for the server, sent again by itself.", { count: acts }),
          acts && !late && tr("Waiting to be stored: {count} …", { count: acts }),
          keys && tr("Keys that wait for their artwork: {count} …", { count: keys }),
        ].filter(Boolean).join(" ")
      : this.talk.refusals.length
        ? this.talk.refusals.map((item) => item.words).join(" ")
        : last ? tr("Stored.") : ""
    const tooLong = this.letters > LONGEST
    const counts = { count: counted(this.letters), most: counted(LONGEST) }
    const text =
      this.header.said ||
      (tooLong ? tr("The note has {count} letters, at most {most} can be stored: shorten it.", counts) : words)
    this.note.setAttribute("aria-invalid", String(tooLong))
    if (this.state.textContent !== text) this.state.textContent = text
    this.state.title = text
    this.root.dataset.waiting = waiting
    this.root.classList.toggle("refused", tooLong || (!waiting && this.talk.refusals.length > 0))
  }

  neighbours() {
    if (!this.talk.near || !this.work.estimate) return []
    const rows = this.work.near ?? []
    if (!rows.length) return [make("p", "quiet", this.work.no_near || tr("Looking for works that are alike …"))]
    const picture = (name) => this.talk.pictures.get(name)
    return rows.map((row) =>
      strip(row.title, row.note, row.tiles, picture, (url, words) => this.zoom(url, words)),
    )
  }

  more() {
    const box = make("details", "more")
    box.open = this.moreOpen ?? false
    box.ontoggle = () => (this.moreOpen = box.open)
    box.append(make("summary", "", tr("What else is known of this work")), facts(this.work.facts ?? []))
    return box
  }
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".ev-desk")
  const desk = (window.emovizDesk ??= new Desk())
  desk.enter(root)
  desk.talk.send = (said) => setStateValue("said", said)
  if (data && desk.data !== data) {
    desk.data = data
    desk.receive(data)
  }
  return () => {
    if (desk.root === root) desk.leaveElement()
  }
}
