module.exports = { testEnvironment: "node", testMatch: ["**/jest/**/*.spec.js"] };
