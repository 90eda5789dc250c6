// The courier: carries the card of one image and Python's idea of the state to the map of the same
// key. It lives in a fragment of its own, so that a card costs neither a run of the page nor the
// map's data again.

import { decode } from "./payload.js";

const meeting = (globalThis.__emovizMaps ??= new Map());

export default function render({ data, setTriggerValue }) {
  const { header, uint8 } = decode(data);
  const { key, run, state, card } = header;
  const place = meeting.get(key) ?? {};
  meeting.set(key, place);
  place.courier = { ask: (index) => setTriggerValue("wanted", index) };
  place.state = state;
  place.map?.meetCourier(place.courier);
  if (run !== place.run) {
    place.run = run;
    place.map?.cards.forget();
    place.map?.restore(state);
  }
  if (card) place.map?.cards.receive(card, card.size ? uint8(0, card.size).slice() : null);
  return () => {
    delete place.courier;
    delete place.state;
    if (!place.map) meeting.delete(key);
  };
}
