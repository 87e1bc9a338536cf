// What the page says, in each language. A state has its words and a hint.

const en = {
  language: "Language", path: "Signal path", pc: "PC", box: "Box", levels: "Levels",
  volume: "Volume", gain: "Gain", mute: "Mute", health: "Health", actions: "Service",
  restart: "Restart the stream",
  restartAbout: "Closes both devices and opens them again. The sound stops for a moment.",
  reload: "Reload filter and settings",
  reloadAbout: "Reads them again. If the new ones are bad, the old ones stay.",
  dismiss: "Dismiss", version: "Version", daemonVersion: "Audio service",
  lastError: "Last fault:", fromPc: "From the PC", toDac: "To the DAC", channel: "Channel",
  silence: "silence", done: { "restart-stream": "The stream was restarted.", reload: "Filter and settings were reloaded." },
  states: {
    connecting: ["Connecting", "Asking the box what it is doing."],
    streaming: ["Playing", "Sound flows from the PC to the DAC."],
    starting: ["Starting", "Filter and devices are being set up. This can take half a minute."],
    "waiting-for-input": ["Waiting for the PC", "Choose Totton Audio as the PC’s sound output, then play something."],
    "waiting-for-dac": ["Waiting for the DAC", "Connect the USB DAC to the box and switch it on."],
    idle: ["Ready", "The PC sends no sound now. Play something."],
    stuck: ["A device hangs", "The audio service is about to be started again by itself."],
    stopping: ["Stopping", "The stream is being closed."],
    away: ["Audio is away", "The audio service does not answer. It is started again by itself, and this page goes on by itself."],
    offline: ["No connection", "This page cannot reach the box. Check the USB cable. The page goes on by itself when the box is back."],
  },
  hintMuted: "Muted: the DAC gets silence.",
  hintSilent: "The stream runs, and the PC sends silence.",
  stale: (seconds) => `Below is what was known ${seconds} s ago.`,
  bits: (bits) => `${bits}-bit`, float: (bits) => `${bits}-bit float`,
  channels: (count) => (count === 1 ? "mono" : count === 2 ? "stereo" : `${count} channels`),
  taps: (taps) => `${taps} taps`,
  backends: { cuda: "GPU", cpu: "CPU" },
  counters: {
    uptime: "Running for", load: "Engine load", input_pauses: "Input pauses", inputBuffer: "Input buffer", outputBuffer: "Output buffer",
    capture_xruns: "Input overruns", playback_xruns: "Output underruns",
    clipped_samples: "Clipped samples", stream_starts: "Stream starts", reloads: "Reloads",
    input_frames: "Frames in", output_frames: "Frames out",
  },
  time: (d, h, m, s) => (d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`),
  // By the last part of a problem's type; others say what the service says.
  problems: {},
};

const ja = {
  language: "言語", path: "信号の流れ", pc: "PC", box: "本体", levels: "レベル",
  volume: "音量", gain: "ゲイン", mute: "ミュート", health: "動作状況", actions: "操作",
  restart: "ストリームを再開",
  restartAbout: "入出力をいったん閉じて開き直します。音が一瞬途切れます。",
  reload: "フィルタと設定を再読込",
  reloadAbout: "新しい内容に問題があれば、今のまま動き続けます。",
  dismiss: "閉じる", version: "バージョン", daemonVersion: "音声サービス",
  lastError: "直近の異常:", fromPc: "PCから", toDac: "DACへ", channel: "チャンネル",
  silence: "無音", done: { "restart-stream": "ストリームを再開しました。", reload: "フィルタと設定を読み直しました。" },
  states: {
    connecting: ["接続中", "本体の状態を確認しています。"],
    streaming: ["再生中", "PCからDACへ音が流れています。"],
    starting: ["起動中", "フィルタと機器を準備しています。30秒ほどかかることがあります。"],
    "waiting-for-input": ["PCを待っています", "PCの音声出力に「Totton Audio」を選び、再生してください。"],
    "waiting-for-dac": ["DACを待っています", "USB DACを本体につなぎ、電源を入れてください。"],
    idle: ["待機中", "PCから音が来ていません。何か再生してください。"],
    stuck: ["機器が応答しません", "音声サービスはまもなく自動で再起動します。"],
    stopping: ["停止中", "ストリームを閉じています。"],
    away: ["音声サービスが応答しません", "サービスは自動で再起動し、このページも自動で復帰します。"],
    offline: ["接続が切れています", "本体に届きません。USBケーブルを確認してください。つながれば自動で復帰します。"],
  },
  hintMuted: "ミュート中です。DACには無音が送られています。",
  hintSilent: "ストリームは動作中ですが、PCからの音は無音です。",
  stale: (seconds) => `以下は${seconds}秒前の内容です。`,
  bits: (bits) => `${bits}ビット`, float: (bits) => `${bits}ビット浮動小数点`,
  channels: (count) => (count === 1 ? "モノラル" : count === 2 ? "ステレオ" : `${count}チャンネル`),
  taps: (taps) => `${taps}タップ`,
  backends: { cuda: "GPU", cpu: "CPU" },
  counters: {
    uptime: "稼働時間", load: "演算負荷", input_pauses: "入力の中断", inputBuffer: "入力バッファ", outputBuffer: "出力バッファ",
    capture_xruns: "入力の取りこぼし", playback_xruns: "出力の途切れ",
    clipped_samples: "クリップしたサンプル", stream_starts: "ストリーム開始回数", reloads: "再読込回数",
    input_frames: "入力フレーム", output_frames: "出力フレーム",
  },
  time: (d, h, m, s) => (d ? `${d}日${h}時間` : h ? `${h}時間${m}分` : m ? `${m}分${s}秒` : `${s}秒`),
  problems: {
    "daemon-away": ["音声サービスが応答しません。", "自動で再起動します。しばらくお待ちください。"],
    "daemon-failed": ["音声サービスが実行できませんでした。", "原因を取り除いてから、もう一度お試しください。"],
    "daemon-not-understood": ["サービスのバージョンが一致しません。", "同じバージョンに揃えて再起動してください。"],
    "out-of-range": ["値が範囲外です。", ""],
    "foreign-origin": ["他のページからは操作できません。", "本体のページを開いてください。"],
    busy: ["要求が混み合っています。", "少し待ってからお試しください。"],
    offline: ["本体に届きません。", "USBケーブルを確認してください。"],
  },
};

en.problems.offline = ["The box cannot be reached.", "Check the USB cable."];

const LANGUAGES = { en, ja };
const STORED = "language";

/** The language chosen here before, or the browser's. */
export function preferredLanguage() {
  let stored = null;
  try {
    stored = localStorage.getItem(STORED);
  } catch {
    // Storage may be forbidden; the browser's language will do.
  }
  if (stored in LANGUAGES) return stored;
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);
  return known ?? "en";
}

export function rememberLanguage(language) {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // As above: then it is chosen anew next time.
  }
}

export const textsOf = (language) => LANGUAGES[language];
