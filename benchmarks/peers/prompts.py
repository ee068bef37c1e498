"""What every tool asks: the same steps, in Jinja, over columns `text` and those written before."""

W1 = {"answer": "{{ text }}"}
W2 = {
    "question": "Ask a question about this subject: {{ text }}",
    "answer": "Answer this question: {{ question }}",
    "verdict": "Is the answer correct? Say PASS or FAIL. Question: {{ question }} Answer: {{ answer }}",
    "translation": "Translate this into Hindi: {{ answer }}",
}
STEPS = {"w1": W1, "w2": W2}
