/** A plain part that says nothing but that there is markup, or holds a crumb of it. */

const placeholder =
  /不支持.{0,20}(?:html|超文本|富文本)|(?:html|超文本|富文本).{0,12}(?:格式|邮件|郵件).{0,30}(?:查看|阅读|閱讀|显示|打开|檢視)|(?:requires?|enable|support|capable|compatible|view|display|read|switch).{0,60}\bhtml\b|\bhtml\b.{0,60}(?:required|enabled|support|capable|compatible|viewer|version|e-?mail client|mail reader)|(?:在|用|使用)浏览器(?:中|里)?(?:查看|打开)|view (?:this|the) (?:e-?mail|message|letter|newsletter) (?:in|on) (?:a|your|the) (?:web )?browser/i

/** `marked`: the words of the markup. What stands in them is no placeholder: then the plain part is the sender's own version. */
export function standsForMarkup(plain: string, marked: string): boolean {
  const [said, shown] = [bare(plain), bare(marked)]
  if (shown === '' || shown.includes(said)) return false
  return (
    (said.length < 500 && shown.length > said.length / 2 && placeholder.test(plain.replace(/\s+/g, ' '))) ||
    (said.length < 200 && said.length * 5 < shown.length)
  )
}

const bare = (words: string): string => words.replace(/[\s\u00a0]+/g, '')
