// A Gram matrix as a heat map; under the pointer, the two channels and their strongest patches.
// The data are one buffer: length of the header (uint32, little endian) | header (JSON) |
// values (float32, n x n, in the order of display) | JPEG of all patches, one row of n squares.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".gram")
  if (!data || root.dataset.done === String(data.byteLength)) return
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  const n = header.channels.length
  const start = 4 + length
  const values = new Float32Array(bytes.slice(start, start + 4 * n * n).buffer)
  const sprite = URL.createObjectURL(
    new Blob([bytes.subarray(start + 4 * n * n)], { type: "image/jpeg" }),
  )
  draw(root.querySelector("canvas"), values, n, header)
  const hint = root.querySelector(".hint")
  const canvas = root.querySelector("canvas")
  let row = 0
  let column = 0
  const tell = () => {
    const patch = (i) => {
      const made = document.createElement("i")
      made.className = "patch"
      made.style.backgroundImage = `url(${sprite})`
      made.style.backgroundSize = `${n * 56}px 56px`
      made.style.backgroundPosition = `${-56 * i}px 0`
      return made
    }
    const words = document.createElement("span")
    const value = values[row * n + column]
    words.textContent =
      `channels ${header.channels[row]} and ${header.channels[column]}: ${value.toPrecision(3)}`
    hint.replaceChildren(patch(row), patch(column), words)
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect()
    const cell = (from, size) => Math.min(n - 1, Math.max(0, Math.floor((from / size) * n)))
    column = cell(event.clientX - box.left, box.width)
    row = cell(event.clientY - box.top, box.height)
    tell()
  }
  canvas.onpointermove = at
  canvas.onpointerdown = at
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }
    const move = step[event.key]
    if (!move) return
    event.preventDefault()
    row = (row + move[0] + n) % n
    column = (column + move[1] + n) % n
    tell()
  }
  canvas.setAttribute("aria-label", header.label)
  root.dataset.done = String(data.byteLength)
}

// White in the middle, orange above 0, blue below; the same colours as the heat maps over images.
function draw(canvas, values, n, header) {
  canvas.width = n
  canvas.height = n
  const context = canvas.getContext("2d")
  const image = context.createImageData(n, n)
  for (let i = 0; i < n * n; i++) {
    const share = Math.max(-1, Math.min(1, values[i] / header.full))
    const [r, g, b] = share >= 0 ? [230, 110, 20] : [40, 100, 200]
    const a = Math.abs(share)
    image.data.set([250 + a * (r - 250), 248 + a * (g - 248), 244 + a * (b - 244), 255], 4 * i)
  }
  context.putImageData(image, 0, 0)
}
