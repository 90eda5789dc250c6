// The courier: carries the cards of images and Python's idea of the state to the map of the same
// key. It lives in a fragment of its own, so that a card costs neither a run of the page nor the
// map's data again.

import { decode } from "./payload.js";

const meeting = (globalThis.__emovizMaps ??= new Map());

export default function render({ data, setTriggerValue }) {
  const { header, uint8 } = decode(data);
  const { key, run, state, cards } = header;
  const place = meeting.get(key) ?? {};
  meeting.set(key, place);
  place.courier = { ask: (indices) => setTriggerValue("wanted", indices) };
  place.state = state;
  place.map?.meetCourier(place.courier);
  if (run !== place.run) {
    place.run = run;
    place.map?.cards.age();
    place.map?.restore(state);
  }
  if (cards.length) {
    place.map?.cards.receive(
      cards.map((card) => ({ ...card, bytes: uint8(card.offset, card.size) })),
    );
  }
  return () => {
    delete place.courier;
    delete place.state;
    if (!place.map) meeting.delete(key);
  };
}
