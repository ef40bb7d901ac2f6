/** The message whose tools a tap brought out: one at a time. */
import { ref } from 'vue'

export const tapped = ref<string>()
