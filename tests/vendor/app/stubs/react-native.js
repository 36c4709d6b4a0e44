export const Platform = { OS: "web", select: (choices) => choices.web ?? choices.default };
