// Sounds: files and recordings as samples, and as the .wav file that the server reads.

import { Problem } from "./api.js";

const DEFAULT_RATE = 16_000;
const LONGEST = 60; // seconds of a recording

/** Any sound that the browser can read, as samples of one channel at the rate of the model. */
export async function readSound(blob, rate) {
  const target = rate && rate >= 3000 && rate <= 192_000 ? rate : DEFAULT_RATE;
  const context = new OfflineAudioContext(1, 1, target);
  let sound;
  try {
    sound = await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    throw new Problem(422, "The browser cannot read this sound; a .wav file works everywhere.");
  }
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let i = 0; i < samples.length; i += 1) mixed[i] += samples[i] / sound.numberOfChannels;
  }
  return { samples: mixed, rate: target };
}

/** Samples as a .wav file of 16 bits, in base64. */
export function wavBase64({ samples, rate }) {
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (place, text) => [...text].forEach((letter, i) => bytes.setUint8(place + i, letter.charCodeAt(0)));
  write(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  write(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true);
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, rate, true);
  bytes.setUint32(28, 2 * rate, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  write(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, i) => bytes.setInt16(44 + 2 * i, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true));
  return base64(new Uint8Array(bytes.buffer));
}

/** Bytes in base64, in pieces: a call with all of them at once would have too many arguments. */
export function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** Bytes of base64. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Whether this page may ask for the microphone: browsers allow it on this machine itself, and over https. */
export function canRecord() {
  return Boolean(window.isSecureContext && navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
}

/** A recording that goes on until `stop` is called, which hands back the sound as a blob. */
export async function record() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  } catch {
    throw new Problem(422, "The browser gives no access to a microphone.");
  }
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  recorder.start();
  const stop = () => recorder.state === "recording" && recorder.stop();
  const timer = setTimeout(stop, LONGEST * 1000);
  return {
    stop,
    async sound() {
      await ended;
      clearTimeout(timer);
      for (const track of stream.getTracks()) track.stop();
      return new Blob(parts, { type: recorder.mimeType });
    },
  };
}
