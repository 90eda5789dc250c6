// One picture to go into as deep as its pixels reach: wheel, pinch, double press, +, -, arrows.

import OpenSeadragon from "openseadragon";

export const open = (element, url) => {
  const viewer = OpenSeadragon({
    element,
    tileSources: { type: "image", url },
    showNavigationControl: false,
    showNavigator: true,
    navigatorPosition: "BOTTOM_LEFT",
    maxZoomPixelRatio: 4,
    animationTime: 0.4,
    gestureSettingsMouse: { clickToZoom: true, dblClickToZoom: true },
  });
  return {
    // The same picture with more pixels, in the same place.
    replace(better) {
      const bounds = viewer.viewport.getBounds();
      viewer.addOnceHandler("open", () => viewer.viewport.fitBounds(bounds, true));
      viewer.open({ type: "image", url: better });
    },
    get width() {
      return viewer.world.getItemAt(0)?.getContentSize().x ?? 0;
    },
    close: () => viewer.destroy(),
  };
};
