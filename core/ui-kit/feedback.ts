/** No action without feedback: an error becomes a sentence, a success a short word. */
import { ElMessage, ElMessageBox } from 'element-plus'
import 'element-plus/es/components/message/style/css'
import 'element-plus/es/components/message-box/style/css'
import { useI18n } from 'vue-i18n'
import { errorText } from './i18n.ts'

export function useFeedback() {
  const { t, te } = useI18n()
  return {
    say: (text: string) => void ElMessage({ message: text, type: 'success', duration: 2_000 }),
    fail: (error: unknown) => void ElMessage({ message: errorText(t, te, error), type: 'error', duration: 5_000, showClose: true }),
    explain: (error: unknown) => errorText(t, te, error),
    /** Into the clipboard; also where the browser grants none to pages without TLS. */
    async copy(text: string): Promise<void> {
      try {
        await navigator.clipboard.writeText(text)
      } catch {
        const field = Object.assign(document.createElement('textarea'), { value: text, className: 'sr-only', readOnly: true })
        // Inside a dialog that is open: outside of it nothing can be selected.
        const place = document.activeElement?.parentElement ?? document.body
        place.append(field)
        field.select()
        document.execCommand('copy')
        field.remove()
      }
      ElMessage({ message: t('common.copied'), type: 'success', duration: 2_000 })
    },
    /** True when confirmed. */
    async ask(text: string, confirm: string, danger = false): Promise<boolean> {
      try {
        await ElMessageBox.confirm(text, '', {
          confirmButtonText: confirm,
          cancelButtonText: t('common.cancel'),
          confirmButtonClass: danger ? 'el-button--danger' : '',
          closeOnClickModal: true,
        })
        return true
      } catch {
        return false
      }
    },
  }
}
