/** No action without feedback: an error becomes a sentence, a success a short word. */
import { ElMessage, ElMessageBox } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import 'element-plus/es/components/message-box/style/css'
import { nextTick } from 'vue'
import { useI18n } from 'vue-i18n'
import { copyText } from './clipboard.ts'
import { errorText } from './error-text.ts'

/** Below a page's header and the strip under it: what one looks at by name stays readable. */
const offset = 92

export function useFeedback() {
  const { t, te } = useI18n()
  return {
    say: (text: string) => void ElMessage({ message: text, type: 'success', duration: 2_000, offset }),
    /** `text` where the error has no sentence of its own. */
    fail: (error: unknown, text?: string) =>
      void ElMessage({ message: text ?? errorText(t, te, error), type: 'error', duration: 5_000, showClose: true, offset }),
    explain: (error: unknown) => errorText(t, te, error),
    async copy(text: string): Promise<void> {
      await copyText(text).then(
        () => ElMessage({ message: t('common.copied'), type: 'success', duration: 2_000, offset }),
        () => ElMessage({ message: t('common.notCopied'), type: 'error', duration: 5_000, offset }),
      )
    },
    /** What was typed, or undefined when it was called off. */
    async askWords(
      title: string,
      words: { text: string; placeholder: string; confirm: string; least: number; most: number; fault: string },
    ): Promise<string | undefined> {
      try {
        const { value } = await ElMessageBox.prompt(words.text, title, {
          confirmButtonText: words.confirm,
          cancelButtonText: t('common.cancel'),
          inputPlaceholder: words.placeholder,
          inputValidator: (typed: string | null) => {
            const length = (typed ?? '').trim().length
            return (length >= words.least && length <= words.most) || words.fault
          },
        })
        return value.trim()
      } catch {
        return undefined
      }
    },
    /** True when confirmed. */
    async ask(text: string, confirm: string, danger = false): Promise<boolean> {
      const answer = ElMessageBox.confirm(text, '', {
        confirmButtonText: confirm,
        cancelButtonText: t('common.cancel'),
        confirmButtonClass: danger ? 'el-button--danger' : '',
        closeOnClickModal: true,
      })
      // A box is named by its title, and a question has none: it is its own name.
      void nextTick(() => document.querySelector('.el-overlay-message-box[aria-label=""]')?.setAttribute('aria-label', text))
      try {
        await answer
        return true
      } catch {
        return false
      }
    },
  }
}
