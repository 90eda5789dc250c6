// What Python sends: uint32 header length, JSON header, then the typed arrays it points to.

/**
 * @param {Uint8Array} bytes
 * @returns {{header: object, uint16: Function, uint8: Function}}
 */
export function decode(bytes) {
  // A copy that begins at 0: typed arrays want aligned offsets, and Streamlit's buffer is a slice.
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  return {
    header,
    uint16: (offset, count) => new Uint16Array(buffer, start + offset, count),
    uint8: (offset, count) => new Uint8Array(buffer, start + offset, count),
  };
}
