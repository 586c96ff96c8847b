// Sends an image in chunks. Each waits for the answer to the one before, so the bar shows what has really arrived.

/**
 * @param {(event: string, ...args: unknown[]) => Promise<{ ok: boolean, error?: string }>} ask
 * @param {File} file
 * @param {{ limit: number, signal: AbortSignal, onProgress: (part: number) => void }} options `limit` in bytes
 * @returns {Promise<string>} why it was refused; empty when it was sent or cancelled
 */
export async function sendImage(ask, file, { limit, signal, onProgress }) {
  if (file.size > limit) return `An image may have ${limit / 1024 / 1024} MB at most.`;
  onProgress(0);
  const start = await ask("image:start", { name: file.name, size: file.size });
  if (!start.ok) return start.error;
  for (let offset = 0; offset < file.size; offset += start.chunk) {
    if (signal.aborted) {
      await ask("image:cancel");
      return "";
    }
    const bytes = await file.slice(offset, offset + start.chunk).arrayBuffer();
    const answer = await ask("image:chunk", bytes);
    if (!answer.ok) return answer.error;
    onProgress(answer.received / file.size);
  }
  return "";
}
