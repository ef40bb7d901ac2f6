/** Those that customer service uses; the system keyboard has the rest. */
export const emojis = [
  ...'😀😁😂🤣😊😇🙂🙃😉😍😘😋😜🤗🤔🤝👍👎👌✌️🙏👏💪❤️💔💯🔥✨🎉🎁🌹🌸☀️🌙⭐⚡✅❌⚠️❓❗💬📷📎📦🚚🧾💰💳🛒🏷️📞📱💻🕐📅📍🏠🏥🏢😅😥😢😭😡😱😴🤒😷🥳🤩😎🙋🙇💁🤷'.matchAll(
    /\p{Extended_Pictographic}\uFE0F?/gu,
  ),
].map((m) => m[0])
