/** What kind of content an answer has (RFC 9110, section 8.3.1). */

export const JSON_TEXT = "application/json"
export const EVENT_STREAM = "text/event-stream"

/** The media type in a `Content-Type`, without its parameters and in lower case; empty where there is none. */
export const essence = (contentType: string | null | undefined): string => {
  if (contentType === undefined || contentType === null) return ""
  const parameters = contentType.indexOf(";")
  return (parameters === -1 ? contentType : contentType.slice(0, parameters)).trim().toLowerCase()
}
