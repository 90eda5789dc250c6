// What the desk and the server say to each other.
//
// Down: length of the header (uint32, little endian) | header (JSON) | pictures.
// Up: one state, `said`, of which only the last matters: {n, act, held, heat, near}. An act is on its
// way until the server names its token; meanwhile no other sets out, so nothing can be overtaken or
// counted twice, and keys that come too early wait until the next artwork stands on the screen.
// What is on its way also lies in the browser's own storage: a reload sends it again, and the
// store counts a token once.
const IMPATIENT = 4000 // milliseconds after which an act is said again
const KEPT_PICTURES = 40

const decode = (data) => {
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  return { header, pictures: bytes.subarray(4 + length) }
}

const token = () => {
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
    this.pending = null
    this.since = 0
    this.n = 0
    this.heat = false
    this.near = false
    this.send = () => {}
    this.place = "" // of this queue in the browser's storage
  }

  receive(data) {
    const { header, pictures } = decode(data)
    for (const { name, from, to } of header.pictures) {
      if (this.pictures.has(name)) continue
      const blob = new Blob([pictures.subarray(from, to)], { type: "image/jpeg" })
      const url = URL.createObjectURL(blob)
      this.pictures.set(name, url)
      if (name.startsWith("large")) this.images.set(url, decoded(url))
    }
    for (const name of [...this.pictures.keys()].slice(0, -KEPT_PICTURES)) {
      const url = this.pictures.get(name)
      URL.revokeObjectURL(url)
      this.images.delete(url)
      this.pictures.delete(name)
    }
    if (this.pending && header.answered === this.pending.token) {
      this.forget(this.pending)
      this.pending = null
    }
    this.recall(header.session)
    return header
  }

  act(values) {
    this.pending = { token: token(), ...values }
    this.since = performance.now()
    this.keep(this.pending)
    this.say()
  }

  say() {
    this.n += 1
    const held = [...this.pictures.keys()]
    this.send({ n: this.n, act: this.pending, held, heat: this.heat, near: this.near })
  }

  // Called now and then: says again what nobody answered.
  nudge() {
    if (!this.pending || performance.now() - this.since < IMPATIENT) return
    this.since = performance.now()
    this.say()
  }

  // On a fresh page: what an earlier page said of this queue, and nobody answered.
  recall(session) {
    if (this.place) return
    this.place = `emoviz-review ${session} `
    const found = this.stored((storage) =>
      Object.keys(storage).filter((name) => name.startsWith(this.place)),
    )
    const name = (found ?? [])[0]
    if (!name || this.pending) return
    try {
      this.pending = JSON.parse(localStorage.getItem(name))
      this.since = performance.now()
      setTimeout(() => this.say())
    } catch {
      localStorage.removeItem(name)
    }
  }

  keep(act) {
    if (act.kind) this.stored((storage) => storage.setItem(this.place + act.token, JSON.stringify(act)))
  }

  forget(act) {
    this.stored((storage) => storage.removeItem(this.place + act.token))
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
