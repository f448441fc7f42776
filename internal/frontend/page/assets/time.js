// The clock of events: they carry times by a clock of landmarkd's own, which does not jump
// when a clock is set.

let offset = 0;      // of landmarkd's clock from performance.now()
let wallOffset = 0;  // of landmarkd's time of day from its clock

// synchronize takes the time of an event, which may have been made a while before it
// arrived. anew is true for the first one of a connection.
export function synchronize(event, anew) {
  const seen = event.now - performance.now();
  if (!anew && seen < offset) return;
  offset = seen;
  wallOffset = event.wall - event.now;
}

// now returns the present time by landmarkd's clock.
export const now = () => performance.now() + offset;

// wall returns the time of day of a time.
export const wall = at => at + wallOffset;
