// What the desk and the server say to each other.
//
// Down: length of the header (uint32, little endian) | header (JSON) | pictures.
// Up: one state, `said`, of which only the last matters: {n, queue, at, acts, held, heat, near}.
// Acts wait here in order, each with the id of its work and a token of its own, until the server
// names the token as answered; one message with all that wait is on its way at a time. They also
// lie in the browser's own storage: a reload sends them again, and the store counts a token once.
const IMPATIENT = 4000 // milliseconds after which acts are said again
const KEPT = { large: 30, heat: 20, small: 600, deep: 3 } // pictures of each kind

const decode = (data) => {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  return { header, pictures: bytes.subarray(4 + length) }
}

const newToken = () => {
  if (crypto.randomUUID) return crypto.randomUUID() // not where the page comes over plain http
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) =>
    b.toString(16).padStart(2, "0"),
  ).join("")
}

// An image that is ready to be painted when its artwork comes.
const decoded = (url) => {
  const image = new Image()
  image.src = url
  image.decode().catch(() => {})
  return image
}

class Talk {
  constructor() {
    this.pictures = new Map() // name -> object URL, oldest first
    this.images = new Map() // object URL -> image that was decoded before its turn
    this.acts = [] // that wait for an answer, oldest first
    this.sent = new Set() // tokens that are on their way
    this.since = 0 // when they set out
    this.refusals = []
    this.count = 0
    this.n = 0
    this.heat = false
    this.near = false
    this.deep = null
    this.at = null // the work on the screen
    this.queue = ""
    this.send = () => {}
    this.place = "" // of this reviewer in the browser's storage
  }

  receive(data) {
    const { header, pictures } = decode(data)
    this.take(header, pictures)
    for (const act of this.acts.filter(({ token }) => token in header.answered)) {
      if (header.answered[act.token]) this.refuse(header.answered[act.token])
      this.forget(act)
      this.sent.delete(act.token)
    }
    this.acts = this.acts.filter(({ token }) => !(token in header.answered))
    this.recall(header.session)
    if (this.acts.length && !this.sent.size) setTimeout(() => this.flush())
    return header
  }

  take(header, pictures) {
    for (const { name, from, to } of header.pictures) {
      if (this.pictures.has(name)) continue
      const blob = new Blob([pictures.subarray(from, to)], { type: "image/jpeg" })
      const url = URL.createObjectURL(blob)
      this.pictures.set(name, url)
      if (name.startsWith("large")) this.images.set(url, decoded(url))
    }
    for (const [kind, most] of Object.entries(KEPT)) {
      const names = [...this.pictures.keys()].filter((name) => name.startsWith(kind))
      for (const name of names.slice(0, -most)) {
        const url = this.pictures.get(name)
        URL.revokeObjectURL(url)
        this.images.delete(url)
        this.pictures.delete(name)
      }
    }
  }

  act(values) {
    const act = { token: newToken(), ...values }
    act.place = `${this.place}${String(Date.now()).padStart(15, "0")} ${String(this.count++).padStart(6, "0")}`
    this.acts.push(act)
    this.keep(act)
    queueMicrotask(() => this.flush()) // with the work that is on the screen after it
  }

  refuse(words) {
    this.refusals.push({ words, time: performance.now() })
  }

  flush() {
    if (this.sent.size || !this.acts.length) return
    this.since = performance.now()
    this.say()
  }

  say() {
    this.n += 1
    for (const { token } of this.acts) this.sent.add(token)
    if (this.sent.size && !this.since) this.since = performance.now()
    const { n, queue, at, acts, heat, near, deep } = this
    this.send({ n, queue, at, acts, held: [...this.pictures.keys()], heat, near, deep })
  }

  // Called now and then: says again what nobody answered.
  nudge() {
    if (!this.acts.length || performance.now() - this.since < IMPATIENT) return
    this.since = performance.now()
    this.say()
  }

  // What an earlier page said as this reviewer, and nobody answered.
  recall(session) {
    const place = `emoviz-review ${session} `
    if (this.place === place) return
    this.place = place
    const names = this.stored((storage) => Object.keys(storage).filter((name) => name.startsWith(place)))
    this.acts = []
    this.refusals = []
    this.sent.clear()
    for (const name of (names ?? []).sort()) {
      try {
        const act = JSON.parse(localStorage.getItem(name))
        if (typeof act?.token === "string") this.acts.push(act)
        else localStorage.removeItem(name)
      } catch {
        localStorage.removeItem(name)
      }
    }
  }

  keep(act) {
    if (act.does !== "decide" && act.does !== "undo") return
    this.stored((storage) => storage.setItem(act.place, JSON.stringify(act)))
  }

  forget(act) {
    this.stored((storage) => storage.removeItem(act.place))
  }

  stored(use) {
    try {
      return use(localStorage)
    } catch {
      return null // a browser that keeps nothing for anybody
    }
  }

  close() {
    for (const url of this.pictures.values()) URL.revokeObjectURL(url)
    this.pictures.clear()
    this.images.clear()
  }
}
