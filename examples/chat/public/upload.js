// Sends an image in chunks. Each waits for the answer to the one before, so the bar shows what has really arrived.

/**
 * @param {(event: string, ...args: unknown[]) => Promise<{ ok: boolean, error?: string, cut?: boolean }>} ask
 * @param {File} file
 * @param {object} options
 * @param {string} options.id of the message: an image that has arrived is not shown twice, however often it is sent
 * @param {number} options.limit in bytes
 * @param {AbortSignal} options.signal
 * @param {(part: number) => void} options.onProgress 0 to 1
 * @param {() => Promise<void>} options.untilBack the connection was cut; resolves when we are in the room again
 * @returns {Promise<string>} why it was refused; empty when it was sent or cancelled
 */
export async function sendImage(ask, file, { untilBack, ...options }) {
  const { limit, signal } = options;
  if (file.size > limit) return `An image may have ${limit / 1024 / 1024} MB at most.`;
  for (;;) {
    const answer = await sendOnce(ask, file, options);
    if (signal.aborted) return "";
    if (!answer.cut) return answer.ok ? "" : answer.error;
    // What had arrived went with the connection, so it begins anew.
    await untilBack();
    if (signal.aborted) return "";
  }
}

/** One attempt. @returns {Promise<{ ok: boolean, error?: string, cut?: boolean }>} the last answer */
async function sendOnce(ask, file, { id, signal, onProgress }) {
  onProgress(0);
  const start = await ask("image:start", { id, name: file.name, size: file.size });
  let answer = start;
  for (let offset = 0; answer.ok && offset < file.size; offset += start.chunk) {
    if (signal.aborted) return ask("image:cancel");
    const bytes = await file.slice(offset, offset + start.chunk).arrayBuffer();
    answer = await ask("image:chunk", bytes);
    if (answer.ok) onProgress(answer.received / file.size);
  }
  return answer;
}
