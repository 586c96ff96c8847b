import io = require("../index");

export = io;
